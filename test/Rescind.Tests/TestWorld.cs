using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Rescind.Tests;

/// <summary>One blacklist with a clock that only the test moves and a log that the test can break.</summary>
internal sealed class TestWorld
{
    public const string Issuer = "https://issuer.example";

    public TestWorld(Action<BlacklistOptions>? configure = null, bool shared = false)
    {
        configure?.Invoke(Options);
        Log = new UnreliableLog(new MemoryLog(Clock), shared);
        Blacklist = NewNode();
    }

    public TestClock Clock { get; } = new();

    public BlacklistOptions Options { get; } = new();

    public UnreliableLog Log { get; }

    public Blacklist Blacklist { get; }

    public DateTimeOffset Now => Clock.GetUtcNow();

    /// <summary>A loaded world.</summary>
    public static async Task<TestWorld> LoadedAsync(Action<BlacklistOptions>? configure = null, bool shared = false)
    {
        var world = new TestWorld(configure, shared);
        await world.Blacklist.LoadAsync(CancellationToken.None);
        return world;
    }

    /// <summary>What the nodes log.</summary>
    public LogLines Lines { get; } = new();

    /// <summary>Another process on the same log.</summary>
    public Blacklist NewNode() =>
        new(Options, Log, clock: Clock, logger: new Logger<Blacklist>(new LoggerFactory([Lines])));

    /// <summary>A token that was issued now and lives for half an hour.</summary>
    public TokenFacts Token(string id = "token-1", string subject = "user-1") => new()
    {
        Issuer = Issuer, TokenId = id, Subject = subject, Session = "session-of-" + subject, Client = "app",
        KeyId = "key-1", IssuedAt = Now, AuthenticatedAt = Now, ExpiresAt = Now.AddMinutes(30),
    };
}

/// <summary>A clock that only the test moves, its wall time also apart from its monotonic time.</summary>
internal sealed class TestClock() : FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.Zero))
{
    private TimeSpan _stepped;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + _stepped;

    public override long GetTimestamp() => base.GetUtcNow().Ticks;

    /// <summary>Sets wall time forward or back; monotonic time goes on.</summary>
    public void StepWall(TimeSpan step) => _stepped += step;

    /// <summary>Lets time pass, a step at a time, until something is so; without a step it only waits for other
    /// threads.</summary>
    public async Task UntilAsync(Func<bool> condition, TimeSpan step = default)
    {
        var started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(20), "In vain.");
            Advance(step);
            await Task.Delay(1);
        }
    }
}

/// <summary>A log that fails when told to, and counts its reads.</summary>
internal sealed class UnreliableLog(IRevocationLog inner, bool shared) : IRevocationLog
{
    public bool IsShared => shared;

    public LogStatus Status { get; set; } = new() { Store = "unreliable" };

    /// <summary>Thrown by every call while set.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Reads wait for it while set.</summary>
    public Task? Gate { get; set; }

    /// <summary>Appends wait for it while set.</summary>
    public Task? AppendGate { get; set; }

    /// <summary>What nodes said that they have forgotten.</summary>
    public List<DateTimeOffset> Horizons { get; } = [];

    /// <summary>Told of each compaction.</summary>
    public Action? Compacting { get; set; }

    /// <summary>Replaces what a read brings.</summary>
    public Func<LogBatch, LogBatch>? Twist { get; set; }

    public IRevocationLog Inner { get; set; } = inner;

    public int Reads { get; private set; }

    /// <summary>How often a node said that it has read the log over and given back what it lacked.</summary>
    public int Reconciliations { get; private set; }

    /// <summary>What the fleet has confirmed; asked again and again until the wait is over.</summary>
    public Func<(int Confirmed, int Expected)> Reach { get; set; } = () => (1, 1);

    /// <summary>It answers only when the caller gives up.</summary>
    public bool IsReachSlow { get; set; }

    /// <summary>Appends are kept by nobody but a journal: they have no position.</summary>
    public bool IsAppendLost { get; set; }

    public async ValueTask<(int Confirmed, int Expected)> ReachAsync(LogPosition position, CancellationToken cancel)
    {
        await Task.Yield();
        if (IsReachSlow)
        {
            await Task.Delay(Timeout.Infinite, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return Reach();
    }

    public async ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        Appends++;
        ThrowFault();
        if (AppendGate is { } gate)
        {
            await gate;
        }
        LargestAppend = Math.Max(LargestAppend, batch.Length);
        return IsAppendLost ? default : await Inner.AppendAsync(batch, cancel);
    }

    public async ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel)
    {
        Reads++;
        ThrowFault();
        if (Gate is { } gate)
        {
            await gate;
        }
        var batch = await Inner.ReadAsync(after, max, cancel);
        return Twist is { } twist ? twist(batch) : batch;
    }

    /// <summary>How often it was asked to append.</summary>
    public int Appends { get; private set; }

    /// <summary>The largest batch appended since it was set to 0.</summary>
    public int LargestAppend { get; set; }

    /// <summary>Who takes announcements.</summary>
    public Action<ReadOnlyMemory<LogEntry>>? Listener { get; private set; }

    public void Listen(Action<ReadOnlyMemory<LogEntry>> apply) => Listener = apply;

    public void Reconciled() => Reconciliations++;

    public void Forgot(DateTimeOffset horizon) => Horizons.Add(horizon);

    /// <summary>Something is announced all the time.</summary>
    public bool IsAnnouncing { get; set; }

    public ValueTask WaitAsync(LogPosition after, CancellationToken cancel) =>
        IsAnnouncing ? ValueTask.CompletedTask : Inner.WaitAsync(after, cancel);

    public ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel)
    {
        ThrowFault();
        Compacting?.Invoke();
        return Inner.CompactAsync(now, cancel);
    }

    private void ThrowFault()
    {
        if (Fault is { } fault)
        {
            throw fault;
        }
    }
}
