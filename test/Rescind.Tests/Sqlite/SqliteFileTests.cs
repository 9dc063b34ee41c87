using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace Rescind.Tests;

/// <summary>Who else may have the file open.</summary>
public sealed class SqliteFileTests : IDisposable
{
    private readonly TestFolder _folder = new();

    private string Path => _folder.PathOf("rescind.db");

    public void Dispose() => _folder.Dispose();

    /// <summary>Two processes on one log of a single node do not hear of each other, and each says that it knows all.
    /// </summary>
    [Fact]
    public async Task A_link_to_a_file_is_refused_and_one_to_its_folder_meets_the_same_lock()
    {
        Directory.CreateDirectory(_folder.PathOf("real"));
        Directory.CreateSymbolicLink(_folder.PathOf("folder"), _folder.PathOf("real"));
        await using (SqliteStore.Open(_folder.PathOf("real/rescind.db")))
        {
            File.CreateSymbolicLink(_folder.PathOf("link.db"), "real/rescind.db");
            var refused = Assert.Throws<IOException>(() => SqliteStore.Open(_folder.PathOf("link.db")));
            Assert.Contains("is a link to 'real/rescind.db'", refused.Message, StringComparison.Ordinal);
            refused = Assert.Throws<IOException>(() => SqliteStore.Open(_folder.PathOf("folder/rescind.db")));
            Assert.Contains("in use by another process", refused.Message, StringComparison.Ordinal);
        }
        await using var again = SqliteStore.Open(_folder.PathOf("folder/rescind.db"));
        await again.Log.AppendAsync(new[] { ScriptedJournal.Entry(1) }, TestContext.Current.CancellationToken);
    }

    /// <summary>Five seconds each, one after the other, it was.</summary>
    [Fact]
    public async Task Callers_wait_together_for_a_file_that_another_program_has_locked()
    {
        await using var store = SqliteStore.Open(Path);
        await store.Log.AppendAsync(new[] { ScriptedJournal.Entry(0) }, TestContext.Current.CancellationToken);
        await using var other = new SqliteConnection($"Data Source={Path};Pooling=False");
        other.Open();
        SqliteFile.Run(other, "BEGIN IMMEDIATE");
        var begun = Stopwatch.GetTimestamp();
        var faults = await Task.WhenAll(Enumerable.Range(1, 20).Select(async number =>
            await Record.ExceptionAsync(async () => await store.Log.AppendAsync(
                new[] { ScriptedJournal.Entry((uint)number) }, TestContext.Current.CancellationToken))));
        var took = Stopwatch.GetElapsedTime(begun);
        Assert.All(faults, fault => Assert.Contains("locked by another program", Assert.IsType<IOException>(fault).Message));
        Assert.InRange(took.TotalSeconds, 0, 30); // two transactions; a hundred seconds one by one
        SqliteFile.Run(other, "ROLLBACK");
        await store.Log.AppendAsync(new[] { ScriptedJournal.Entry(99) }, TestContext.Current.CancellationToken);
    }

    /// <summary>What was forgotten beside the shared log stays forgotten.</summary>
    [Fact]
    public async Task A_copy_that_becomes_a_log_of_its_own_keeps_the_horizon()
    {
        var horizon = DateTimeOffset.UnixEpoch.AddYears(50);
        using (var file = SqliteFile.Open(Path))
        {
            await using var commits = new GroupCommit(file);
            var journal = new SqliteJournal(file, commits, new SqliteRevocationLog(file, commits, TimeProvider.System));
            await journal.JoinAsync(new JournalUpdate([ScriptedJournal.Entry(1)], new LogPosition(5, 77), horizon, 0));
        }
        await using var single = SqliteStore.Open(Path);
        var batch = await single.Log.ReadAsync(default, 10, TestContext.Current.CancellationToken);
        Assert.Equal(horizon, batch.Horizon);
    }
}
