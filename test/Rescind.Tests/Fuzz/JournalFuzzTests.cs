using CsCheck;
using Microsoft.Data.Sqlite;

namespace Rescind.Tests.Fuzz;

/// <summary>The SQLite file after a power cut, a failing disk or an editor: cut off, torn, changed anywhere, as the log of a
/// single node and as the copy beside a shared log. Opening, reading and writing it gives what stands in it or an
/// <see cref="IOException"/> with a remedy.</summary>
public sealed class JournalFuzzTests : IAsyncLifetime
{
    private const int Logged = 60;

    /// <summary>What the shared log brought, and what it did not take.</summary>
    private const int Copied = 40;
    private const int Own = 20;

    /// <summary>The sentence after the one that says what is wrong.</summary>
    private const string Remedy =
        @"\. (Restore it|Close what|Give this|Look at|Make room|Choose another|Run that|Put it back|It is not skipped: run) ";
    private static readonly object?[] Odd = [null, "text", "", 1.5, -1L, long.MaxValue, new byte[] { 0, 255 }];
    private readonly TestFolder _folder = new();

    /// <summary>How long the write-ahead log was once each entry was committed.</summary>
    private readonly List<long> _committed = [];
    private byte[] _file = [];
    private byte[] _copy = [];
    private byte[] _torn = [];
    private byte[] _wal = [];
    private int _copies;

    /// <summary>A file that was closed, one of a process that was killed, most of it in the write-ahead log, and the copy of
    /// a node that the shared log went away from.</summary>
    public async ValueTask InitializeAsync()
    {
        var path = _folder.PathOf("rescind.db");
        var store = SqliteStore.Open(path);
        await AppendAsync(store, 0, () => 0);
        await store.DisposeAsync();
        _file = await File.ReadAllBytesAsync(path);
        store = SqliteStore.Open(path);
        await AppendAsync(store, Logged, () => new FileInfo(path + "-wal").Length);
        _committed.RemoveRange(0, Logged);
        (_torn, _wal) = (await ReadOpenAsync(path), await ReadOpenAsync(path + "-wal"));
        await store.DisposeAsync();
        Assert.True(_wal.Length > 50_000, $"The write-ahead log has only {_wal.Length} bytes.");
        Assert.Equal(Logged, _committed.Where(length => length <= _wal.Length).Distinct().Count());
        _copy = await MakeCopyAsync(_folder.PathOf("copy.db"));
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_write_ahead_log_that_was_torn_gives_all_commits_before_the_tear_and_nothing_else() =>
        await Gen.Select(Gen.Int[0, _wal.Length], Gen.Byte.Array[0, 40], Gen.Bool).TryAsync(async (cut, noise, goesOn) =>
        {
            byte[] wal = [.. _wal[..cut], .. noise, .. goesOn ? _wal[Math.Min(_wal.Length, cut + noise.Length)..] : []];
            var read = await UseAsync(_torn, wal, Alone);
            Assert.NotNull(read);
            var whole = wal.AsSpan().CommonPrefixLength(_wal);
            Assert.Equal(Tags(Logged + _committed.Count(length => length <= whole)), read.Select(entry => entry.Id.Tag));
        }, 60, threads: 2);

    [Fact]
    public async Task A_file_that_was_changed_anywhere_is_read_or_refused_with_a_remedy() =>
        await AreReadOrRefusedAsync(_file, Alone, 150);

    /// <summary>With the shared log there, empty as after a loss, and with it away.</summary>
    [Fact]
    public async Task A_copy_beside_a_shared_log_that_was_changed_anywhere_is_read_or_refused_with_a_remedy()
    {
        Assert.Equal(Tags(Copied + Own), (await UseAsync(_copy, [], BesideAway))!.Select(entry => entry.Id.Tag).Order());
        await AreReadOrRefusedAsync(_copy, BesideEmpty, 100);
        await AreReadOrRefusedAsync(_copy, BesideAway, 50);
    }

    /// <summary>SQLite keeps any value in any column, and what reads it must look.</summary>
    [Fact]
    public async Task A_value_of_another_type_in_any_column_is_read_or_refused_with_a_remedy()
    {
        var refused = new HashSet<string>(StringComparer.Ordinal);
        foreach (var place in Places())
        {
            foreach (var odd in Odd)
            {
                var bytes = Odder(place, odd);
                var isRefused = await UseAsync(bytes, [], Alone) is null;
                if ((place.Table != "records" && await UseAsync(bytes, [], BesideEmpty) is null) || isRefused)
                {
                    refused.Add($"{place.Table}.{place.Column}");
                }
            }
        }
        Assert.Superset(
            new HashSet<string>(["meta.value", "log.entry", "journal.entry"], StringComparer.Ordinal), refused);
    }

    private async Task AreReadOrRefusedAsync(byte[] file, Func<string, SqliteStore> open, int cases)
    {
        var refused = 0;
        var pages = (file.Length / 4096) - 1;
        await Gen.Frequency(
            (4, Hostile.Changed(Gen.Const(file), Gen.Byte)),
            (3, Gen.Select(Gen.Int[0, file.Length - 1], Gen.Byte, Gen.Int[1, 8],
                (at, value, every) => Scattered(file, at, value, every))),
            (1, Gen.Select(Gen.Int[0, pages], Gen.Int[0, pages], (one, other) => Swapped(file, one, other))),
            (1, Gen.Byte.Array[0, 5_000]))
            .TryAsync(async bytes =>
            {
                if (await UseAsync(bytes, [], open) is null)
                {
                    Interlocked.Increment(ref refused);
                }
            }, cases, threads: 2);
        Assert.True(refused > cases / 15, $"Only {refused} files were refused.");
    }

    private static SqliteStore Alone(string path) => SqliteStore.Open(path);

    private static SqliteStore BesideEmpty(string path) => Beside(path, fault: null);

    private static SqliteStore BesideAway(string path) => Beside(path, new IOException("away"));

    private static SqliteStore Beside(string path, IOException? fault) => SqliteStore.KeepLocally(
        path, new UnreliableLog(new MemoryLog(TimeProvider.System), shared: true) { Fault = fault }, new BlacklistOptions());

    /// <summary>What is in the file, after it was written to as well; null: it was refused as documented.</summary>
    private async Task<List<LogEntry>?> UseAsync(byte[] bytes, byte[] wal, Func<string, SqliteStore> open)
    {
        var path = _folder.PathOf($"copy-{Interlocked.Increment(ref _copies)}.db");
        await File.WriteAllBytesAsync(path, bytes);
        await File.WriteAllBytesAsync(path + "-wal", wal);
        try
        {
            await using var store = open(path);
            var (position, read) = await ReadAsync(store);
            await store.Records.ListAsync(new RevocationQuery { Limit = 10 }, CancellationToken.None);
            await store.Log.AppendAsync(new[] { Entry(9_999) }, CancellationToken.None);
            if (open == BesideEmpty)
            {
                await store.Log.ReadAsync(position, 50, CancellationToken.None);
                await store.Log.ReadAsync(default, 50, CancellationToken.None);
            }
            await CompactAsync(store, isAway: open == BesideAway);
            return read;
        }
        catch (IOException fault)
        {
            Assert.Contains(path, fault.Message, StringComparison.Ordinal);
            Assert.Matches(Remedy, fault.Message);
            return null;
        }
        finally
        {
            foreach (var file in new[] { "", "-wal", "-shm", ".lock" })
            {
                File.Delete(path + file);
            }
        }
    }

    private static async Task<(LogPosition Position, List<LogEntry> Read)> ReadAsync(SqliteStore store)
    {
        var (read, position, isAtTail) = (new List<LogEntry>(), default(LogPosition), false);
        while (!isAtTail && read.Count < 1_000)
        {
            var batch = await store.Log.ReadAsync(position, 50, CancellationToken.None);
            read.AddRange(batch.Entries.Span);
            (position, isAtTail) = (batch.Position, batch.AtTail || store.Log.Status.JournalLoaded == true);
        }
        Assert.True(isAtTail, "The end of the log is never reached.");
        return (position, read);
    }

    /// <summary>The file is compacted whether or not the shared log is there.</summary>
    private static async Task CompactAsync(SqliteStore store, bool isAway)
    {
        try
        {
            await store.Log.CompactAsync(DateTimeOffset.UtcNow, CancellationToken.None).AsTask()
                .WaitAsync(TimeSpan.FromSeconds(30));
        }
        catch (IOException fault) when (isAway && fault.Message == "away")
        {
            // What the shared log says, which is away.
        }
    }

    private static byte[] Scattered(byte[] file, int at, byte value, int every)
    {
        var bytes = file.ToArray();
        for (var i = at; i < Math.Min(bytes.Length, at + 64); i += every)
        {
            bytes[i] ^= value;
        }
        return bytes;
    }

    private static byte[] Swapped(byte[] file, int one, int other)
    {
        var bytes = file.ToArray();
        file.AsSpan(one * 4096, 4096).CopyTo(bytes.AsSpan(other * 4096));
        file.AsSpan(other * 4096, 4096).CopyTo(bytes.AsSpan(one * 4096));
        return bytes;
    }

    /// <summary>The copy with its schema loosened, so that NULL can stand anywhere, and one value changed.</summary>
    private byte[] Odder((string Table, string Column, string Where) place, object? odd)
    {
        var path = _folder.PathOf("odd.db");
        File.WriteAllBytes(path, _copy);
        using (var file = new SqliteConnection($"Data Source={path};Pooling=False"))
        {
            file.Open();
            SqliteFile.Run(file, "PRAGMA journal_mode=DELETE; PRAGMA writable_schema=ON; "
                + "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', ''); PRAGMA writable_schema=RESET;");
            using var command = file.CreateCommand();
            command.CommandText = $"UPDATE {place.Table} SET {place.Column} = $odd WHERE {place.Where}";
            command.Parameters.AddWithValue("$odd", odd ?? DBNull.Value);
            Assert.Equal(1, command.ExecuteNonQuery());
        }
        return File.ReadAllBytes(path);
    }

    /// <summary>A place in each column but those of row numbers, which SQLite does look at.</summary>
    private static IEnumerable<(string Table, string Column, string Where)> Places() =>
        new[] { "history", "horizon", "shared_number", "shared_history", "shared_horizon" }
            .Select(name => ("meta", "value", $"name = '{name}'"))
            .Concat(new[] { "expires", "entry" }.SelectMany(column => new[]
            {
                ("log", column, "position = 7"), ("journal", column, "id = (SELECT max(id) FROM journal)"),
            }))
            .Concat(("id kind issuer value issued_before expires_at reason actor note made_at lifted_at lifted_by "
                + "lift_reason").Split(' ').Select(column => ("records", column, "number = 7")));

    private static async Task<byte[]> MakeCopyAsync(string path)
    {
        var shared = new UnreliableLog(new MemoryLog(TimeProvider.System), shared: true);
        await using (var store = SqliteStore.KeepLocally(path, shared, new BlacklistOptions()))
        {
            var (position, _) = await ReadAsync(store);
            await shared.AppendAsync(
                Enumerable.Range(1, Copied).Select(tag => Entry((uint)tag)).ToArray(), CancellationToken.None);
            await store.Log.ReadAsync(position, Copied, CancellationToken.None);
            shared.Fault = new IOException("away");
            for (var tag = Copied + 1; tag <= Copied + Own; tag++)
            {
                await store.Log.AppendAsync(new[] { Entry((uint)tag) }, CancellationToken.None);
                await AddRecordAsync(store, tag);
            }
        }
        Assert.Equal((Copied, Own), KeptNode.RowsOf(path));
        return await File.ReadAllBytesAsync(path);
    }

    private async Task AppendAsync(SqliteStore store, int after, Func<long> length)
    {
        for (var tag = after + 1; tag <= after + Logged; tag++)
        {
            await store.Log.AppendAsync(new[] { Entry((uint)tag) }, CancellationToken.None);
            _committed.Add(length());
            await AddRecordAsync(store, tag);
        }
    }

    private static ValueTask AddRecordAsync(SqliteStore store, int tag) => store.Records.AddAsync(
        [Revocation.OfSubject("i", $"user {tag}") with { Id = Entry((uint)tag).Id, MadeAt = DateTimeOffset.UtcNow }],
        CancellationToken.None);

    private static IEnumerable<uint> Tags(int count) => Enumerable.Range(1, count).Select(tag => (uint)tag);

    private static LogEntry Entry(uint tag) => new()
    {
        Id = new RevocationId(RuleKind.Subject, TokenKey.Of(RuleKind.Subject, "i", $"user {tag}"), tag),
        ExpiresAt = DateTimeOffset.MaxValue, IssuedBefore = DateTimeOffset.UnixEpoch, Issuer = "i", Value = $"user {tag}",
    };

    private static async Task<byte[]> ReadOpenAsync(string path)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var copy = new MemoryStream();
        await file.CopyToAsync(copy);
        return copy.ToArray();
    }
}
