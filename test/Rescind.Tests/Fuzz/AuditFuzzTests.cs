using System.Text.Json;
using CsCheck;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Audit;
using Rescind.Server.Settings;
using Rescind.Tests.Server;

namespace Rescind.Tests.Fuzz;

/// <summary>The file of a node's audit events after a failing disk or an editor: what starts with it has each event as it was
/// written or shows that it is not, and what does not start says so in one line.</summary>
public sealed class AuditFuzzTests : IAsyncLifetime
{
    private const string Secret = "a key of the tests, longer than 32 bytes";
    private const int Events = 30;
    private const int Forgotten = 10;
    private static readonly AuditKey Key = new(Secret);
    private readonly TestFolder _folder = new();
    private byte[] _file = [];
    private List<AuditRow> _rows = [];
    private string _chain = "";
    private int _copies;

    public async ValueTask InitializeAsync()
    {
        await using var services = Audit(_folder.PathOf("whole"));
        await using (var spool = services.GetRequiredService<AuditSpool>())
        {
            for (var number = 1; number <= Events; number++)
            {
                await spool.AppendAsync(new AuditEvent("login_failed") { UserId = $"user {number}", Note = "ü" });
            }
            _rows = [.. spool.Oldest(Events)];
            spool.Forget(Forgotten);
            _chain = spool.Chain;
        }
        _file = await File.ReadAllBytesAsync(_folder.PathOf("whole/audit.db"));
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_file_that_was_changed_anywhere_shows_what_was_changed_or_is_refused_in_one_line()
    {
        Assert.True(await IsOpenedAsync(_file));
        var refused = 0;
        await Gen.Frequency(
            (4, Hostile.Changed(Gen.Const(_file), Gen.Byte)),
            (4, Gen.Select(Gen.Int[0, _file.Length - 1], Gen.Byte[1, 255], Changed)),
            (1, Gen.Byte.Array[0, 5_000]))
            .TryAsync(async bytes =>
            {
                if (!await IsOpenedAsync(bytes))
                {
                    Interlocked.Increment(ref refused);
                }
            }, 200, threads: 2);
        Assert.True(refused > 20, $"Only {refused} files were refused.");
    }

    [Theory]
    [InlineData("head", "chain", "NULL")]
    [InlineData("head", "chain", "''")]
    [InlineData("head", "chain", "x'00ff'")]
    [InlineData("head", "chain", "'another'")]
    [InlineData("head", "number", "NULL")]
    [InlineData("head", "number", "'many'")]
    [InlineData("head", "number", "1.5")]
    [InlineData("head", "number", "-1")]
    [InlineData("head", "number", "12")]
    [InlineData("head", "hash", "NULL")]
    [InlineData("head", "hash", "'text'")]
    [InlineData("head", "hash", "7")]
    [InlineData("head", "hash", "x'00ff'")]
    [InlineData("head", "hash", "zeroblob(32)")]
    [InlineData("head", "id", "7")]
    [InlineData("events", "row", "NULL")]
    [InlineData("events", "row", "'text'")]
    [InlineData("events", "row", "7")]
    [InlineData("events", "row", "'null'")]
    [InlineData("events", "row", "'{}'")]
    [InlineData("events", "row", "x'7b7d'")]
    [InlineData("events", "row", "replace(row, '\"login_failed\"', 'null')")]
    [InlineData("events", "row", "replace(row, '\"Number\":15', '\"Number\":16')")]
    [InlineData("events", "number", "99")]
    [InlineData("events", "number", "-1")]
    public async Task A_value_that_no_server_wrote_is_refused_in_one_line(string table, string column, string value)
    {
        var path = _folder.PathOf("odd.db");
        await File.WriteAllBytesAsync(path, _file, TestContext.Current.CancellationToken);
        Loosen(path, $"UPDATE {table} SET {column} = {value}" + (table == "head" ? "" : " WHERE number = 15"));
        Assert.False(await IsOpenedAsync(await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task A_server_with_such_a_file_does_not_start_and_says_why()
    {
        await using var server = await ServerUnderTest.StartAsync();
        await server.StopAsync();
        Loosen(Path.Combine(server.Data, "audit.db"), "UPDATE head SET hash = NULL");
        var refused = await Assert.ThrowsAsync<StartRefusedException>(() => server.RestartAsync());
        Assert.Contains("the head of its chain cannot be read", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_in_the_place_of_the_file_is_refused_in_one_line()
    {
        Directory.CreateDirectory(_folder.PathOf("data/audit.db"));
        using var services = Audit(_folder.PathOf("data"));
        var refused = Assert.Throws<StartRefusedException>(services.GetRequiredService<AuditSpool>);
        Assert.Contains("no access to it", refused.Message, StringComparison.Ordinal);
    }

    /// <returns>False: the start was refused as it should be.</returns>
    private async Task<bool> IsOpenedAsync(byte[] bytes)
    {
        var folder = _folder.PathOf($"data-{Interlocked.Increment(ref _copies)}");
        Directory.CreateDirectory(folder);
        await File.WriteAllBytesAsync(Path.Combine(folder, "audit.db"), bytes);
        await using var services = Audit(folder);
        try
        {
            await using var spool = services.GetRequiredService<AuditSpool>();
            ShowsChanges(spool);
            if (await Record.ExceptionAsync(() => spool.AppendAsync(new AuditEvent("login_failed"))) is { } fault)
            {
                Assert.IsType<IOException>(fault); // pages that are only written to
            }
            return true;
        }
        catch (StartRefusedException refused)
        {
            Assert.DoesNotContain(refused.Message, char.IsControl);
            Assert.StartsWith("RESCIND_DATA/audit.db cannot be used (", refused.Message, StringComparison.Ordinal);
            Assert.EndsWith("repair or move the file away.", refused.Message, StringComparison.Ordinal);
            return false;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Whoever reads the chain finds every event as it was written, or the first that is not; or this is another
    /// chain, and the first of its events.</summary>
    private void ShowsChanges(AuditSpool spool)
    {
        var (number, hash) = ((long)Forgotten, _rows[Forgotten - 1].Hash);
        var found = spool.Oldest(AuditSpool.MostWaiting);
        var isSame = spool.Chain == _chain && found.Select(Written).SequenceEqual(_rows.Skip(Forgotten).Select(Written));
        var isBroken = false;
        foreach (var row in found)
        {
            isBroken |= AuditChain.FaultOf(row, number, hash, Key) is not null;
            (number, hash) = (row.Number, row.Hash);
        }
        var isAnotherChain = spool.Chain != _chain && found.Count == 0;
        var isGap = found.Count == 0 && spool.Number != Forgotten;
        Assert.True(isSame || isBroken || isAnotherChain || isGap, $"{found.Count} events after {_chain} are not as written.");
    }

    /// <summary>What the chain vouches for.</summary>
    private static string Written(AuditRow row) => JsonSerializer.Serialize(row);

    private byte[] Changed(int at, byte value)
    {
        var bytes = _file.ToArray();
        bytes[at] ^= value;
        return bytes;
    }

    /// <summary>Changes what stands in a file, NULL too.</summary>
    private static void Loosen(string path, string change)
    {
        using var file = new SqliteConnection($"Data Source={path};Pooling=False");
        file.Open();
        SqliteFile.Run(file, "PRAGMA journal_mode=DELETE; PRAGMA writable_schema=ON; "
            + "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', ''); PRAGMA writable_schema=RESET;");
        using var command = file.CreateCommand();
        command.CommandText = change;
        Assert.Equal(1, command.ExecuteNonQuery());
    }

    private static ServiceProvider Audit(string folder)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
        {
            ["JWT_SECRET"] = Secret, ["AUDIT_KEY"] = Secret, ["RESCIND_DATA"] = folder, ["RESCIND_NODE"] = "node",
        };
        var settings = SettingsReader.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), "Production");
        var services = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddSingleton(settings);
        AuditSetup.Add(services);
        return services.BuildServiceProvider();
    }
}
