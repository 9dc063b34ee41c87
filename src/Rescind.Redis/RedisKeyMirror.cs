using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Rescind.Redis;
using StackExchange.Redis;

namespace Rescind;

/// <summary>
/// Keys of an older service, one for each revoked token, for the time in which both run. It writes and reads
/// such keys, and remembers which tokens were issued to whom, because a key names a single token where a
/// revocation may name a session or a user. All of it is as safe as any key in Redis: it may be evicted and
/// lost, which is why the log is something else.
/// </summary>
public sealed class RedisKeyMirror : IAsyncDisposable
{
    private const string Placeholder = "{jti}";
    private const string Own = "rescind";
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(15);

    /// <summary>What lives longer counts as what lives for ever: Redis knows times past all calendars.
    /// </summary>
    private static readonly TimeSpan LongestLife = TimeSpan.FromDays(36_525);

    private readonly RedisLink _link;
    private readonly string _before;
    private readonly string _after;
    private readonly string _issued;

    private RedisKeyMirror(RedisLink link, string template, string prefix)
    {
        var at = template.IndexOf(Placeholder, StringComparison.Ordinal);
        (_link, _before, _after) = (link, template[..at], template[(at + Placeholder.Length)..]);
        _issued = $"{{{prefix}}}:issued:";
    }

    /// <summary>A key of an older service.</summary>
    /// <param name="TokenId">The token it revokes.</param>
    /// <param name="ExpiresAt">When the key goes; null: never.</param>
    /// <param name="IsOwn">Whether this mirror wrote it.</param>
    public readonly record struct Key(string TokenId, DateTimeOffset? ExpiresAt, bool IsOwn);

    /// <summary>Prepares a mirror; nothing is connected yet.</summary>
    /// <param name="configuration">As for <see cref="RedisStore.Open"/>.</param>
    /// <param name="template">The older service's keys, for instance
    /// <c>mita:blacklist:token:{jti}</c>.</param>
    /// <param name="redis">The names of the log. Default: <see cref="RedisOptions"/> as it is made.</param>
    /// <param name="clock">The clock. Default: the system's.</param>
    /// <param name="logger">Where to log. Default: nowhere.</param>
    /// <exception cref="ArgumentException">The configuration or the template is malformed.</exception>
    public static RedisKeyMirror Open(
        string configuration, string template, RedisOptions? redis = null, TimeProvider? clock = null,
        ILogger<RedisKeyMirror>? logger = null)
    {
        if (FaultOf(template) is { } fault)
        {
            throw new ArgumentException(fault, nameof(template));
        }
        redis ??= new RedisOptions();
        var parsed = RedisAddress.Parse(configuration);
        var names = new RedisNames(redis.Prefix, redis.Node, parsed.DefaultDatabase ?? 0);
        return new RedisKeyMirror(
            new RedisLink(
                parsed, names.Keys, clock ?? TimeProvider.System, (ILogger?)logger ?? NullLogger.Instance),
            template, redis.Prefix);
    }

    /// <summary>What is wrong with a template, or null.</summary>
    /// <param name="template">As for <see cref="Open"/>.</param>
    public static string? FaultOf(string template)
    {
        ArgumentNullException.ThrowIfNull(template);
        var parts = template.Split(Placeholder);
        return parts.Length != 2 ? $"it must hold {Placeholder} exactly once"
            : parts[0].Length == 0 ? $"something must stand before {Placeholder}"
            : template.Length > 512 || template.Any(char.IsControl) ? "it is too long or is not one line"
            : null;
    }

    /// <summary>Writes the key of a token, unless there is one.</summary>
    /// <param name="tokenId">The token.</param>
    /// <param name="expiresAt">When the key goes.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">Redis is away.</exception>
    public Task WriteAsync(string tokenId, DateTimeOffset expiresAt, CancellationToken cancel = default) =>
        _link.CallAsync(
            database => database.ExecuteAsync(
                "SET", (RedisKey)KeyOf(tokenId), Own, "NX", "PXAT", expiresAt.ToUnixTimeMilliseconds()),
            cancel);

    /// <summary>Removes the key of a token, whoever wrote it.</summary>
    /// <param name="tokenId">The token.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">Redis is away.</exception>
    public Task RemoveAsync(string tokenId, CancellationToken cancel = default) =>
        _link.CallAsync(database => database.KeyDeleteAsync(KeyOf(tokenId)), cancel);

    /// <summary>Remembers a token until it ends.</summary>
    /// <param name="owner">A session or a user, told apart by the caller.</param>
    /// <param name="tokenId">The token.</param>
    /// <param name="issuedAt">Its <c>iat</c>.</param>
    /// <param name="expiresAt">Its end.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">Redis is away.</exception>
    public async Task RememberAsync(
        string owner, string tokenId, DateTimeOffset issuedAt, DateTimeOffset expiresAt,
        CancellationToken cancel = default)
    {
        var member = issuedAt.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture) + " " + tokenId;
        await _link.CallAsync(
            async database =>
            {
                await database.SortedSetRemoveRangeByScoreAsync(
                    _issued + owner, double.NegativeInfinity, _link.Now.ToUnixTimeSeconds());
                await database.SortedSetAddAsync(_issued + owner, member, expiresAt.ToUnixTimeSeconds());
                return await database.KeyExpireAsync(
                    _issued + owner, expiresAt.UtcDateTime, ExpireWhen.Always);
            },
            cancel);
    }

    /// <summary>The live tokens that were remembered for an owner.</summary>
    /// <param name="owner">As it was remembered.</param>
    /// <param name="now">The time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>Id, <c>iat</c> and end of each.</returns>
    /// <exception cref="IOException">Redis is away.</exception>
    public async Task<IReadOnlyList<(string TokenId, DateTimeOffset IssuedAt, DateTimeOffset ExpiresAt)>>
        RememberedAsync(string owner, DateTimeOffset now, CancellationToken cancel = default)
    {
        var found = await _link.CallAsync(
            database => database.SortedSetRangeByScoreWithScoresAsync(
                _issued + owner, now.ToUnixTimeSeconds(), flags: CommandFlags.DemandMaster),
            cancel);
        return [.. found.Select(one => ((string)one.Element!).Split(' ', 2) is var words
            ? (words[1], DateTimeOffset.FromUnixTimeSeconds(long.Parse(words[0])),
                DateTimeOffset.FromUnixTimeSeconds((long)one.Score))
            : default)];
    }

    /// <summary>Takes or keeps the turn to look for keys: one node at a time.</summary>
    /// <param name="node">This process, by a name that no other has.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>Whether it is this node's turn for the next 15 seconds.</returns>
    /// <exception cref="IOException">Redis is away.</exception>
    public Task<bool> TakeTurnAsync(string node, CancellationToken cancel = default) => _link.CallAsync(
        async database =>
        {
            RedisKey turn = _issued + "turn";
            return await database.StringSetAsync(turn, node, Turn, When.NotExists)
                || (await database.StringGetAsync(turn, CommandFlags.DemandMaster) == node
                    && await database.KeyExpireAsync(turn, Turn));
        },
        cancel);

    /// <summary>All keys of the older service, by <c>SCAN</c> on every master.</summary>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">Redis is away.</exception>
    public async IAsyncEnumerable<Key> ReadAsync([EnumeratorCancellation] CancellationToken cancel = default)
    {
        var names = await _link.ScanAsync($"{Escaped(_before)}*{Escaped(_after)}", cancel);
        foreach (var name in names)
        {
            var found = await _link.CallAsync(database => FindAsync(database, name), cancel);
            var id = ((string)name!)[_before.Length..^_after.Length];
            if (found is { } key && id.Length != 0)
            {
                yield return new Key(id, key.Left is { } left ? _link.Now + left : null, key.IsOwn);
            }
        }
    }

    /// <summary>Closes the connections.</summary>
    public ValueTask DisposeAsync() => _link.DisposeAsync();

    /// <summary>A key as it stands; null when it is gone. The older service asks whether there is one and not
    /// what it holds, so one that holds no text counts like any other.</summary>
    private static async Task<(TimeSpan? Left, bool IsOwn)?> FindAsync(IDatabase database, RedisKey name)
    {
        var left = (long)await database.ExecuteAsync("PTTL", [name], CommandFlags.DemandMaster);
        TimeSpan? life = left >= 0 && left < LongestLife.TotalMilliseconds
            ? TimeSpan.FromMilliseconds(left)
            : null;
        try
        {
            var value = await database.StringGetAsync(name, CommandFlags.DemandMaster);
            return value.IsNull ? null : (life, value == Own);
        }
        catch (RedisServerException fault) when (
            fault.Message.StartsWith("WRONGTYPE", StringComparison.Ordinal))
        {
            return (life, false);
        }
    }

    private string KeyOf(string tokenId) => _before + tokenId + _after;

    private static string Escaped(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var letter in text)
        {
            escaped.Append(letter is '*' or '?' or '[' or ']' or '\\' ? "\\" : "").Append(letter);
        }
        return escaped.ToString();
    }
}
