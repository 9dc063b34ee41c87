using CsCheck;

namespace Rescind.Tests.Fuzz;

/// <summary>The SQLite file after a power cut, a failing disk or an editor: cut off, torn, changed anywhere. Opening, reading
/// and writing it gives what stands in it or an <see cref="IOException"/> with a remedy.</summary>
public sealed class JournalFuzzTests : IAsyncLifetime
{
    private const int Logged = 60;
    private readonly TestFolder _folder = new();
    private byte[] _file = [];
    private byte[] _torn = [];
    private byte[] _wal = [];
    private int _copies;

    /// <summary>A file that was closed, and one of a process that was killed: most of it is in the write-ahead log.</summary>
    public async ValueTask InitializeAsync()
    {
        var path = _folder.PathOf("rescind.db");
        var store = SqliteStore.Open(path);
        await AppendAsync(store, 0);
        await store.DisposeAsync();
        _file = await File.ReadAllBytesAsync(path);
        store = SqliteStore.Open(path);
        await AppendAsync(store, Logged);
        (_torn, _wal) = (await ReadOpenAsync(path), await ReadOpenAsync(path + "-wal"));
        await store.DisposeAsync();
        Assert.True(_wal.Length > 50_000, $"The write-ahead log has only {_wal.Length} bytes.");
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
            var read = await UseAsync(_torn, wal);
            Assert.NotNull(read);
            Assert.InRange(read.Count, Logged, 2 * Logged);
            Assert.Equal(Enumerable.Range(1, read.Count).Select(tag => (uint)tag), read.Select(entry => entry.Id.Tag));
        }, 40, threads: 2);

    [Fact]
    public async Task A_file_that_was_changed_anywhere_is_read_or_refused_with_a_remedy()
    {
        var refused = 0;
        await Gen.Frequency(
            (4, Hostile.Changed(Gen.Const(_file), Gen.Byte)),
            (3, Gen.Select(Gen.Int[0, _file.Length - 1], Gen.Byte, Gen.Int[1, 8], (at, value, every) => Scattered(at, value, every))),
            (1, Gen.Select(Gen.Int[0, (_file.Length / 4096) - 1], Gen.Int[0, (_file.Length / 4096) - 1], Swapped)),
            (1, Gen.Byte.Array[0, 5_000]))
            .TryAsync(async bytes =>
            {
                if (await UseAsync(bytes, []) is null)
                {
                    Interlocked.Increment(ref refused);
                }
            }, 150, threads: 2);
        Assert.True(refused > 10, $"Only {refused} files were refused.");
    }

    /// <summary>What is in the file, after it was written to as well; null: it was refused as documented.</summary>
    private async Task<List<LogEntry>?> UseAsync(byte[] bytes, byte[] wal)
    {
        var path = _folder.PathOf($"copy-{Interlocked.Increment(ref _copies)}.db");
        await File.WriteAllBytesAsync(path, bytes);
        await File.WriteAllBytesAsync(path + "-wal", wal);
        try
        {
            await using var store = SqliteStore.Open(path);
            var read = new List<LogEntry>();
            var (position, isAtTail) = (default(LogPosition), false);
            while (!isAtTail && read.Count < 1_000)
            {
                var batch = await store.Log.ReadAsync(position, 50, CancellationToken.None);
                read.AddRange(batch.Entries.Span);
                (position, isAtTail) = (batch.Position, batch.AtTail);
            }
            Assert.True(isAtTail, "The end of the log is never reached.");
            await store.Records.ListAsync(new RevocationQuery { Limit = 10 }, CancellationToken.None);
            await store.Log.AppendAsync(new[] { Entry(9_999) }, CancellationToken.None);
            await store.Log.CompactAsync(DateTimeOffset.UtcNow, CancellationToken.None).AsTask()
                .WaitAsync(TimeSpan.FromSeconds(30));
            return read;
        }
        catch (IOException fault)
        {
            Assert.Contains(path, fault.Message, StringComparison.Ordinal);
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

    private byte[] Scattered(int at, byte value, int every)
    {
        var bytes = _file.ToArray();
        for (var i = at; i < Math.Min(bytes.Length, at + 64); i += every)
        {
            bytes[i] ^= value;
        }
        return bytes;
    }

    private byte[] Swapped(int one, int other)
    {
        var bytes = _file.ToArray();
        _file.AsSpan(one * 4096, 4096).CopyTo(bytes.AsSpan(other * 4096));
        _file.AsSpan(other * 4096, 4096).CopyTo(bytes.AsSpan(one * 4096));
        return bytes;
    }

    private static async Task AppendAsync(SqliteStore store, int after)
    {
        for (var tag = after + 1; tag <= after + Logged; tag++)
        {
            await store.Log.AppendAsync(new[] { Entry((uint)tag) }, CancellationToken.None);
            await store.Records.AddAsync(
                [Revocation.OfSubject("i", $"user {tag}") with { Id = Entry((uint)tag).Id, MadeAt = DateTimeOffset.UtcNow }],
                CancellationToken.None);
        }
    }

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
