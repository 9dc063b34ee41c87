using System.Globalization;
using System.Text;
using Rescind.Redis;
using StackExchange.Redis;

namespace Rescind.Simulation;

/// <summary>A node's way to Redis: requests, answers and announcements each take their time, are lost or come late,
/// and two directions can be cut by themselves. What arrives at a server is done there, whether or not the node lives
/// to hear of it.</summary>
internal sealed class Link : IRedisLink
{
    private readonly World _world;
    private readonly RedisGroup _group;
    private readonly NodeClock _clock;
    private readonly Turn _turn;
    private readonly Dictionary<string, Action<byte[]>> _channels = new(StringComparer.Ordinal);
    private RedisServer _server;

    public Link(World world, RedisGroup group, NodeClock clock, Turn turn)
    {
        (_world, _group, _clock, _turn, _server) = (world, group, clock, turn, group.Found());
        Reads = new Reads(world, clock);
        group.Add(this);
    }

    /// <summary>What became of its reads of the log.</summary>
    public Reads Reads { get; }

    public RedisKey Stream => "{sim}:log";

    public RedisKey Fleet => "{sim}:fleet";

    public bool IsConnected { get; private set; } = true;

    public long FaultsInLastHour => 0;

    /// <summary>Calls get through.</summary>
    public bool IsPullCut { get; set; }

    /// <summary>Announcements get through.</summary>
    public bool IsPushCut { get; set; }

    /// <summary>Calls arrive, their answers do not.</summary>
    public bool IsAnswerCut { get; set; }

    /// <summary>Until when answers to appends hang.</summary>
    public long AppendsHeldUntil { get; set; }

    /// <summary>How likely a message is lost.</summary>
    public double Loss { get; set; }

    /// <summary>How long a message takes at most, mostly.</summary>
    public double SlowMs { get; set; } = 2;

    public Task<RedisResult> RunAsync(string script, RedisValue[] arguments, CancellationToken cancel) =>
        CallAsync(script, Array.ConvertAll(arguments, TextOf), cancel);

    public Task<(RedisResult Answer, bool IsReplicated)> RunAsync(
        string script, RedisValue[] arguments, Func<RedisResult, int> servers, CancellationToken cancel) =>
        ReferenceEquals(script, RedisScripts.Heartbeat) && arguments[6] != 0
            ? Reads.SentAsync(async () =>
            {
                var answered = await ConfirmedAsync(script, arguments, servers, cancel);
                return (answered, answered.IsReplicated && IsWhole(answered.Answer));
            })
            : ConfirmedAsync(script, arguments, servers, cancel);

    /// <summary>Whether a read reached the end of a log that does not recover.</summary>
    private static bool IsWhole(RedisResult answer) =>
        HeartbeatAnswer.Parse(answer) is { OtherSettings: null, IsClosed: true, Found: true, AtTail: true };

    private async Task<(RedisResult Answer, bool IsReplicated)> ConfirmedAsync(
        string script, RedisValue[] arguments, Func<RedisResult, int> servers, CancellationToken cancel)
    {
        var way = _server;
        var answer = await RunAsync(script, arguments, cancel);
        var needed = servers(answer) / 2;
        if (needed == 0)
        {
            return (answer, true);
        }
        var confirmed = await TravelAsync(server => server.WaitAsync(needed), cancel);
        return (answer, confirmed >= needed && way == _server);
    }

    public Task<RedisResult> ExecuteAsync(string command, object[] arguments, CancellationToken cancel) => CallAsync(
        null,
        [command, .. arguments.Select(one => one is RedisKey key ? (string)key! : string.Format(CultureInfo.InvariantCulture, "{0}", one))],
        cancel);

    public Task SubscribeAsync(string channel, Action<byte[]> received, CancellationToken cancel)
    {
        _channels[channel] = received;
        return Task.CompletedTask;
    }

    public Task<ServerReport> ReportAsync(CancellationToken cancel) => Task.FromResult(ServerReport.OfInfo(null));

    public ValueTask DisposeAsync()
    {
        _group.Remove(this);
        return ValueTask.CompletedTask;
    }

    public void Announce(RedisServer server, string channel, string message)
    {
        if (server != _server || !_channels.TryGetValue(channel, out var received))
        {
            return;
        }
        _world.After(Latency(), () =>
        {
            if (!IsPushCut && !_world.Chance(Loss))
            {
                _turn.Post(_ => received(Encoding.Latin1.GetBytes(message)), null);
            }
        });
    }

    private async Task<RedisResult> CallAsync(string? script, string[] words, CancellationToken cancel) =>
        ResultOf(await TravelAsync(
            server => Task.FromResult(server.Execute(script, words)), cancel, ReferenceEquals(script, RedisScripts.Append)));

    /// <summary>There and back, within the limit of every call.</summary>
    private async Task<T> TravelAsync<T>(
        Func<RedisServer, Task<T>> ask, CancellationToken cancel, bool isAppend = false)
    {
        var answer = new TaskCompletionSource<T>();
        var server = _server;
        _world.After(Latency(), () => Arrive(server, ask, answer, isAppend));
        try
        {
            var result = await answer.Task.WaitAsync(RedisLink.Limit, _clock, cancel);
            IsConnected = true;
            return result;
        }
        catch (Exception fault) when (fault is TimeoutException or RedisRefusal or IOException)
        {
            // As the client does after a fault: it asks which server is the master.
            IsConnected = fault is RedisRefusal;
            if (_server != _group.Master)
            {
                _world.After(_world.Between(1, 1_000), () => _server = _group.Master);
            }
            throw new IOException(fault.Message, fault);
        }
    }

    private async void Arrive<T>(
        RedisServer server, Func<RedisServer, Task<T>> ask, TaskCompletionSource<T> answer, bool isAppend)
    {
        if (IsPullCut || _world.Chance(Loss))
        {
            return;
        }
        if (!server.IsUp)
        {
            _world.After(Latency(), () => answer.TrySetException(new IOException("Redis cannot be reached.")));
            return;
        }
        try
        {
            var result = await ask(server);
            Return(() => answer.TrySetResult(result), isAppend ? AppendsHeldUntil : 0);
        }
        catch (RedisRefusal refusal)
        {
            Return(() => answer.TrySetException(refusal), 0);
        }
    }

    private void Return(Action arrive, long notBefore) => _world.At(
        Math.Max(notBefore, _world.Now + Latency().Ticks), _world.Self, () =>
    {
        if (!IsPullCut && !IsAnswerCut && !_world.Chance(Loss))
        {
            arrive();
        }
    });

    /// <summary>Mostly short; one in a hundred hangs somewhere for up to seconds.</summary>
    private TimeSpan Latency()
    {
        if (!_group.HasHiccups)
        {
            return _world.Between(0.05, SlowMs);
        }
        var latency = _world.Chance(0.01)
            ? _world.Between(SlowMs, _world.Chance(0.1) ? 3_000 : 200)
            : _world.Between(0.05, SlowMs);
        _group.UnderWayUntil = Math.Max(_group.UnderWayUntil, _world.Now + latency.Ticks);
        return latency;
    }

    private static string TextOf(RedisValue value) => value.Box() switch
    {
        string text when Ascii.IsValid(text) => text,
        _ => Encoding.Latin1.GetString((byte[])value!),
    };

    private static RedisResult ResultOf(object? reply) => reply switch
    {
        null => RedisResult.Create(RedisValue.Null),
        long number => RedisResult.Create((RedisValue)number),
        string text when Ascii.IsValid(text) => RedisResult.Create((RedisValue)text),
        string text => RedisResult.Create((RedisValue)Encoding.Latin1.GetBytes(text)),
        object?[] all => RedisResult.Create(Array.ConvertAll(all, ResultOf)),
        _ => throw new InvalidOperationException($"{reply.GetType()} is no reply of Redis."),
    };
}
