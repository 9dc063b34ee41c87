using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>
/// Sends this process's heartbeats and takes their answers in: one script call each. Guarantees that a
/// position is confirmed only by a caller that has applied everything up to it.
/// </summary>
internal sealed class Heartbeats(
    IRedisLink link, FleetWatch watch, FleetSettings settings, RedisNames names, ILogger logger)
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _writers = new(StringComparer.Ordinal);
    private LogPosition _confirmed;
    private ulong _beat;
    private long _horizon;
    private bool _isStuck;
    private string _reportedIn = FleetWatch.NoEpoch;
    private int _notReplicated;
    private int _runHidden;

    /// <summary>One heartbeat that reads.</summary>
    /// <param name="applied">Everything up to here is applied.</param>
    /// <param name="max">About how many entries to read.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The answer, and whether half the servers confirmed the write.</returns>
    public Task<(HeartbeatAnswer Answer, bool IsReplicated)> BeatAsync(
        LogPosition applied, int max, CancellationToken cancel)
    {
        lock (_gate)
        {
            _confirmed = applied;
        }
        return SendAsync(applied, max, cancel);
    }

    /// <summary>One heartbeat that only registers and looks: to learn the epoch, or who has
    /// confirmed.</summary>
    public async Task<HeartbeatAnswer> LookAsync(CancellationToken cancel)
    {
        LogPosition applied;
        lock (_gate)
        {
            applied = _confirmed;
        }
        return (await SendAsync(applied, 0, cancel)).Answer;
    }

    /// <summary>From now on says that this process has given back all that this epoch's log had
    /// lost.</summary>
    /// <returns>Whether that is news.</returns>
    public bool Report(string epoch)
    {
        lock (_gate)
        {
            var isNews = _reportedIn != epoch;
            _reportedIn = epoch;
            return isNews;
        }
    }

    /// <summary>A process whose reader has stopped looks silent to the others: it holds no lease, and a
    /// recovery must not wait for it for ever.</summary>
    /// <returns>Whether it was so before. A read that was sent then gives no lease: to the others this
    /// process is silent until its counter moves.</returns>
    public bool SetStuck(bool isStuck)
    {
        lock (_gate)
        {
            var wasStuck = _isStuck;
            _isStuck = isStuck;
            return wasStuck;
        }
    }

    /// <summary>What somebody has forgotten, or the log has dropped; a header that was lost has lost it too.
    /// </summary>
    public void Forgot(DateTimeOffset horizon)
    {
        lock (_gate)
        {
            _horizon = Math.Max(_horizon, horizon.ToUnixTimeSeconds());
        }
    }

    /// <summary>Remembers a process whose append waits for this one's confirmation.</summary>
    public void Owe(string writer)
    {
        lock (_gate)
        {
            _writers.Add(writer);
        }
    }

    private async Task<(HeartbeatAnswer Answer, bool IsReplicated)> SendAsync(
        LogPosition applied, int max, CancellationToken cancel)
    {
        var (beat, arguments) = Arguments(applied, max);
        HeartbeatAnswer? parsed = null;
        var (_, isReplicated) = await link.RunAsync(
            RedisScripts.Heartbeat,
            arguments,
            answer =>
            {
                // Before half the servers have confirmed it, and also where they do not.
                watch.Warn(beat, parsed = HeartbeatAnswer.Parse(answer));
                return parsed.Servers;
            },
            cancel);
        if (parsed!.OtherSettings is { } others)
        {
            watch.Note(beat, parsed, isReplicated);
            throw settings.Disagreement(others);
        }
        Note(beat, parsed, isReplicated);
        return (parsed, isReplicated);
    }

    private (ulong Beat, RedisValue[] Arguments) Arguments(LogPosition applied, int max)
    {
        lock (_gate)
        {
            var report = watch.NextReport();
            _beat += _isStuck ? 0UL : 1;
            var arguments = new List<RedisValue>
            {
                names.Process, _beat, names.Details, settings.Text, applied.Number, applied.History, max,
                    report.Epoch,
                _reportedIn == report.Epoch
                    ? 1 : 0, (long)report.Watched.TotalMilliseconds, RedisNames.Draw(),
                (long)(watch.LongestBound * 2).TotalMilliseconds, names.ChannelOf(""),
                report.Silent.Length, report.Remembered.Length, _writers.Count, report.Servers,
                _horizon,
            };
            arguments.AddRange(report.Silent.SelectMany(one => new RedisValue[] { one.Key, one.Beat }));
            arguments.AddRange(report.Remembered.Select(key => (RedisValue)key));
            arguments.AddRange(_writers.Select(key => (RedisValue)key));
            _writers.Clear();
            return (_beat, [.. arguments]);
        }
    }

    private void Note(ulong beat, HeartbeatAnswer answer, bool isReplicated)
    {
        if (answer.Horizon <= answer.Time)
        {
            Forgot(answer.Horizon); // a later one is somebody's mistake, and must not stay
        }
        var (isNewEpoch, isNewlyClosed) = watch.Note(beat, answer, isReplicated);
        if (isNewEpoch && !answer.IsClosed)
        {
            Log.RecoveryOpened(logger, answer.Epoch);
        }
        if (isNewlyClosed && !isNewEpoch)
        {
            Log.RecoveryClosed(logger, answer.Epoch);
        }
        if (Interlocked.Exchange(ref _notReplicated, isReplicated ? 0 : 1) == 0 && !isReplicated)
        {
            Log.NotReplicated(logger, answer.Servers, link.Fleet.ToString());
        }
        if (Interlocked.Exchange(ref _runHidden, answer.KnowsRun ? 0 : 1) == 0 && !answer.KnowsRun)
        {
            Log.RunHidden(logger);
        }
    }
}
