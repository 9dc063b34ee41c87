using Rescind.Redis;
using StackExchange.Redis;

namespace Rescind;

/// <summary>
/// From what an operator writes to how the client connects. A message about a mistake names the part that is
/// wrong and repeats none of the value: wherever somebody mistypes, the password may end up in any part.
/// </summary>
public static class RedisAddress
{
    private const string Form =
        "Write redis://[user:password@]host[:port][/database], rediss://… for TLS, or a connection string of "
        + "StackExchange.Redis such as host:port,password=…";

    private const int DefaultPort = 6379;

    /// <summary>What is wrong with the address of a Redis, in words that repeat nothing of it; null: it can
    /// be used.</summary>
    /// <param name="configuration">As for <see cref="RedisStore.Open"/>.</param>
    public static string? FaultOf(string configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        try
        {
            Parse(configuration);
            return null;
        }
        catch (MalformedException fault)
        {
            return fault.What;
        }
    }

    /// <exception cref="ArgumentException">Malformed.</exception>
    internal static ConfigurationOptions Parse(string configuration)
    {
        var text = configuration.Trim();
        var options = text.Contains("://", StringComparison.Ordinal) ? OfUrl(text) : OfList(text);
        return Settle(options);
    }

    /// <summary>The address of an Upstash database, which speaks the Redis protocol too: TLS on its host,
    /// user <c>default</c>, the token as password.</summary>
    /// <param name="url">The endpoint, <c>https://name.upstash.io</c>.</param>
    /// <param name="token">Its token.</param>
    /// <returns>A <c>rediss://</c> address.</returns>
    /// <exception cref="ArgumentException">Malformed.</exception>
    public static string OfUpstash(string url, string token)
    {
        if (!Uri.TryCreate(url.Trim(), UriKind.Absolute, out var endpoint)
            || endpoint.Scheme != Uri.UriSchemeHttps
            || HostOf(endpoint) is not { Length: > 0 } host
            || endpoint.UserInfo.Length != 0 || endpoint.AbsolutePath != "/"
            || endpoint.Query.Length != 0)
        {
            throw new ArgumentException("The Upstash endpoint is malformed. Write https://name.upstash.io",
                nameof(url));
        }
        if (string.IsNullOrWhiteSpace(token) || token.Any(letter => char.IsControl(letter) || letter == ' '))
        {
            throw new ArgumentException(
                "The Upstash token is empty or holds spaces. Copy it from the database's page.",
                    nameof(token));
        }
        return $"rediss://default:{Uri.EscapeDataString(token)}@{host}:{DefaultPort}";
    }

    private static ConfigurationOptions OfUrl(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url))
        {
            throw Malformed("it is not a URL; a password with special characters must be percent-encoded");
        }
        if (url.Scheme is not ("redis" or "rediss"))
        {
            throw Malformed("its scheme is neither redis nor rediss");
        }
        if (url.Host.Length == 0)
        {
            throw Malformed("it names no host");
        }
        if (url.Query.Length != 0 || url.Fragment.Length != 0)
        {
            throw Malformed(
                "it goes on with '?' or '#'; percent-encode these in a password, and leave options out");
        }
        var host = HostOf(url) ?? throw Malformed("its host is not a name that the network knows");
        var options = new ConfigurationOptions { Ssl = url.Scheme == "rediss",
            DefaultDatabase = DatabaseOf(url) };
        if (options.Ssl)
        {
            options.SslHost = host;
        }
        options.EndPoints.Add(host.Trim('[', ']'), url.Port > 0 ? url.Port : DefaultPort);
        SetUser(options, url.UserInfo);
        return options;
    }

    /// <summary>The host as the network writes it, or null when it cannot be written so.</summary>
    private static string? HostOf(Uri url)
    {
        try
        {
            return url.IdnHost;
        }
        catch (UriFormatException)
        {
            // What the framework says only here of a host that is not allowed in names.
            return null;
        }
    }

    private static int DatabaseOf(Uri url)
    {
        var path = url.AbsolutePath.Trim('/');
        if (path.Length == 0)
        {
            return 0;
        }
        return path.All(char.IsAsciiDigit) && int.TryParse(path, out var database)
            ? database
            : throw Malformed("what follows the host is not a database number");
    }

    private static void SetUser(ConfigurationOptions options, string userInfo)
    {
        if (userInfo.Length == 0)
        {
            return;
        }
        var colon = userInfo.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0)
        {
            throw Malformed(
                "a user without password stands before '@'; a password alone is written :password@");
        }
        var (user, password) = (
            Uri.UnescapeDataString(userInfo[..colon]), Uri.UnescapeDataString(userInfo[(colon + 1)..]));
        if (password.Length == 0)
        {
            throw Malformed("its password is empty");
        }
        options.User = user.Length == 0 ? null : user;
        options.Password = password;
    }

    private static ConfigurationOptions OfList(string text)
    {
        ConfigurationOptions options;
        try
        {
            options = ConfigurationOptions.Parse(text);
        }
        catch (Exception fault) when (fault is ArgumentException or FormatException or OverflowException)
        {
            // The inner exception would repeat a part of the value, so it is not kept.
            throw Malformed(
                "StackExchange.Redis does not know one of its settings, or a value is out of range");
        }
        if (options.EndPoints.Count == 0)
        {
            throw Malformed("it names no server");
        }
        if (options.EndPoints.Any(one => one is System.Net.DnsEndPoint name && name.Host.Any(IsNoHost)))
        {
            throw Malformed("one of its servers is not host:port");
        }
        return options;
    }

    /// <summary>What the log needs of a connection, whatever the operator wrote.</summary>
    private static ConfigurationOptions Settle(ConfigurationOptions options)
    {
        options.AbortOnConnectFail = false;
        options.AllowAdmin = true; // the self-check asks INFO and CONFIG GET
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ConnectTimeout = 1000;
        options.ConnectRetry = 1;
        options.AsyncTimeout = options.SyncTimeout = (int)RedisLink.Limit.TotalMilliseconds;
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(500);
        options.ReconnectRetryPolicy = new ExponentialRetry(100, 1000);
        options.ChannelPrefix = default;
        options.ClientName ??= "rescind";
        return options;
    }

    private static bool IsNoHost(char letter) =>
        !char.IsLetterOrDigit(letter) && letter is not ('.' or '-' or '_' or ':');

    private static MalformedException Malformed(string what) => new(what);

    private sealed class MalformedException(string what)
        : ArgumentException($"The address of Redis is malformed: {what}. {Form}")
    {
        public string What => what;
    }
}
