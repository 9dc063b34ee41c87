namespace Rescind.Server.Settings;

/// <summary>The Redis that the fleet shares.</summary>
/// <param name="Address">As <see cref="RedisStore.Open"/> takes it; may hold a password.</param>
/// <param name="IsRequired">Whether the server stays down when Redis cannot be reached at start.</param>
/// <param name="IsStrict">Whether it stays down when Redis may lose revocations.</param>
/// <param name="LogKey">Seals every entry of the log; null: none does.</param>
/// <param name="Servers">How many servers there are, as <see cref="RedisOptions.Servers"/>.</param>
/// <param name="KeyMirror">How the keys of an older service are written; null: there is none.</param>
internal sealed record RedisSettings(
    string Address, bool IsRequired, bool IsStrict, int Servers, string? LogKey = null,
    string? KeyMirror = null)
{
    private const int ShortestKey = 32;

    /// <summary>Reads the variables; null: none names a Redis.</summary>
    public static RedisSettings? Read(Variables variables)
    {
        var required = variables.Word("REDIS_REQUIRED", "false", "true", "false") == "true";
        var strict = variables.Word("REDIS_STRICT", "false", "true", "false") == "true";
        var servers = variables.Number("REDIS_SERVERS", 1, 1, 100);
        var (logKey, mirror) = (LogKeyOf(variables), KeyMirrorOf(variables));
        var upstash = OfUpstash(variables);
        if ((OfRedis(variables) ?? upstash) is { } address)
        {
            return new RedisSettings(address, required, strict, servers, logKey, mirror);
        }
        var pointless = required ? "REDIS_REQUIRED" : strict ? "REDIS_STRICT" : servers != 1 ? "REDIS_SERVERS"
            : logKey is not null ? "BLACKLIST_LOG_KEY" : mirror is not null ? "REDIS_KEY_MIRROR" : null;
        return pointless is null
            ? null
            : throw new StartRefusedException(
                pointless, "no Redis is named", "set REDIS_URL, or remove the variable");
    }

    // A record prints its members, and the address may hold a password.
    public override string ToString() => nameof(RedisSettings);

    private static string? OfRedis(Variables variables)
    {
        if (variables.Secret("REDIS_URL") is not { } address)
        {
            return null;
        }
        return RedisAddress.FaultOf(address) is { } fault
            ? throw new StartRefusedException(
                "REDIS_URL", fault, "write redis://user:password@host:port/database, or rediss:// for TLS")
            : address;
    }

    private static string? LogKeyOf(Variables variables)
    {
        var key = variables.Secret("BLACKLIST_LOG_KEY");
        return key is null || System.Text.Encoding.UTF8.GetByteCount(key) >= ShortestKey
            ? key
            : throw new StartRefusedException(
                "BLACKLIST_LOG_KEY", $"it is shorter than {ShortestKey} bytes",
                "write the same random text on all nodes, for example from: openssl rand -hex 32");
    }

    private static string? KeyMirrorOf(Variables variables) =>
        variables.Text("REDIS_KEY_MIRROR") is { } template && RedisKeyMirror.FaultOf(template) is { } fault
            ? throw new StartRefusedException(
                "REDIS_KEY_MIRROR", fault, "write the older service's keys, as mita:blacklist:token:{jti}")
            : variables.Text("REDIS_KEY_MIRROR");

    private static string? OfUpstash(Variables variables)
    {
        var (url, token) = (variables.Text("UPSTASH_URL"), variables.Secret("UPSTASH_AUTH_TOKEN"));
        if (url is null && token is null)
        {
            return null;
        }
        if (url is null || token is null)
        {
            throw new StartRefusedException(
                url is null ? "UPSTASH_URL" : "UPSTASH_AUTH_TOKEN", "it is missing, and the other is set",
                "set both or neither");
        }
        try
        {
            return RedisAddress.OfUpstash(url, token);
        }
        catch (ArgumentException fault)
        {
            throw fault.ParamName == "url"
                ? new StartRefusedException(
                    "UPSTASH_URL", "it is not the endpoint of a database", "write https://name.upstash.io")
                : new StartRefusedException(
                    "UPSTASH_AUTH_TOKEN", "it holds spaces", "copy it from the database's page");
        }
    }
}
