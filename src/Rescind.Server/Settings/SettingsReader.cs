// Turns environment variables (or appsettings.json, same names) into ServerSettings. What it guarantees: the
// server runs with exactly what the operator wrote, or does not start and says in one line what to write
// instead.
using System.Net;
using System.Text;
using Rescind.Server.Accounts;
using Rescind.Server.Audit;
using Rescind.Server.Tokens;

namespace Rescind.Server.Settings;

internal static class SettingsReader
{
    private const int LongestName = 256;
    private const int LongestNode = 64;

    public static ServerSettings Read(IConfiguration configuration, string environment)
    {
        var variables = new Variables(configuration);
        var development = EnvironmentOf(variables, environment);
        var warnings = new List<string>();
        var data = DataFolder.Open(variables.Text("RESCIND_DATA") ?? "data", warnings);
        var (access, refresh, longest) = Lifetimes(variables);
        var (email, password) = FirstAdministrator(variables);
        var redis = RedisSettings.Read(variables);
        var database = DatabaseSettings.Read(variables);
        if (redis is not null && database is null)
        {
            warnings.Add("REDIS_URL: nodes share revocations; accounts and sessions stay in each node's own "
                + "file unless DATABASE_URL names a PostgreSQL.");
        }
        return new ServerSettings
        {
            IsDevelopment = development,
            ListenAt = ListenAt(variables, configuration),
            Data = data,
            Node = Node(variables),
            Keys = SigningKeys.Read(variables, data, development, warnings),
            Issuer = Name(variables, "JWT_ISSUER"),
            Audience = Name(variables, "JWT_AUDIENCE"),
            AccessLifetime = access,
            RefreshLifetime = refresh,
            LongestLifetime = longest,
            RefreshGrace = TimeSpan.FromSeconds(variables.Number("REFRESH_GRACE_SECONDS", 30, 0, 3600)),
            TokensCarryIssuedAt = variables.Word("TOKENS_CARRY_IAT", "false", "true", "false") == "true",
            RefuseWhenUnknown =
                variables.Word("BLACKLIST_WHEN_UNKNOWN", "accept", "accept", "refuse") == "refuse",
            WaitFor = variables.Word("BLACKLIST_WAIT", "everywhere", "everywhere", "stored") == "stored"
                ? ReceiptState.Stored
                : ReceiptState.Everywhere,
            Freshness = TimeSpan.FromMilliseconds(
                variables.Number("BLACKLIST_FRESHNESS_MS", 1000, 50, 60_000)),
            Redis = redis,
            Database = database,
            Mail = MailSettings.Read(variables),
            Maintenance = MaintenanceSettings.Read(variables),
            AuditKey = AuditKeyOf(variables, data),
            AuditKeyIsShared = variables.Secret("AUDIT_KEY") is not null,
            AuditRetention = TimeSpan.FromDays(variables.Number("AUDIT_RETENTION_DAYS", 90, 1, 3650)),
            AdminEmail = email,
            AdminPassword = password,
            CorsOrigins = Origins(variables),
            Proxies = Proxies(variables),
            ManagementPort = ManagementPort(variables, configuration),
            LimitsRates = variables.Word("RATE_LIMIT_ENABLED", "true", "true", "false") == "true",
            MetricsToken = variables.Secret("METRICS_TOKEN"),
            Warnings = warnings,
        };
    }

    /// <summary>The environment's name: <c>ENVIRONMENT</c>, which wins because <c>dotnet run</c> sets the
    /// other, else what the host was told.</summary>
    public static string EnvironmentName(IConfiguration configuration, string byHost) =>
        new Variables(configuration).Word("ENVIRONMENT", byHost, "Development", "Production");

    private static bool EnvironmentOf(Variables variables, string environment) => environment switch
    {
        "Development" => true,
        "Production" => false,
        _ => throw new StartRefusedException(
            "ASPNETCORE_ENVIRONMENT", $"'{Variables.Shown(environment)}' is not known",
            "write Development or Production"),
    };

    private static string? ListenAt(Variables variables, IConfiguration configuration)
    {
        var port = variables.Text("PORT");
        var number = variables.Number("PORT", 8080, 0, 65_535);
        var toldOtherwise = variables.Text("urls") ?? variables.Text("http_ports")
            ?? variables.Text("https_ports");
        if (toldOtherwise is not null || configuration.GetSection("Kestrel:Endpoints").Exists())
        {
            return null;
        }

        // PORT alone is how hosting platforms ask, and they connect from outside; nobody asked otherwise:
        // loopback.
        return port is null ? "http://127.0.0.1:8080" : $"http://0.0.0.0:{number}";
    }

    private static (TimeSpan Access, TimeSpan Refresh, TimeSpan Longest) Lifetimes(Variables variables)
    {
        var refreshDays = variables.Number("REFRESH_TOKEN_EXPIRE_DAYS", 7, 1, 3650);
        var refresh = TimeSpan.FromDays(refreshDays);
        var access =
            TimeSpan.FromMinutes(variables.Number("ACCESS_TOKEN_EXPIRE_MINUTES", 30, 1, 3650 * 24 * 60));
        var longest = TimeSpan.FromDays(
            variables.Number("LONGEST_TOKEN_LIFETIME_DAYS", refreshDays, 1, 3650));
        if (longest < refresh)
        {
            throw new StartRefusedException(
                "LONGEST_TOKEN_LIFETIME_DAYS", "it is shorter than REFRESH_TOKEN_EXPIRE_DAYS",
                $"write at least {refreshDays}");
        }
        return access <= longest
            ? (access, refresh, longest)
            : throw new StartRefusedException(
                "ACCESS_TOKEN_EXPIRE_MINUTES", "access tokens would outlive the longest token lifetime",
                $"write at most {(int)longest.TotalMinutes}, or raise LONGEST_TOKEN_LIFETIME_DAYS");
    }

    private static int? ManagementPort(Variables variables, IConfiguration configuration)
    {
        const string Name = "MANAGEMENT_PORT";
        if (variables.Text(Name) is null)
        {
            return null;
        }
        var port = variables.Number(Name, 9090, 1, 65_535);
        if (ListenAt(variables, configuration) is null && variables.Text("urls") is null)
        {
            throw new StartRefusedException(
                Name, "the other addresses are not in PORT or ASPNETCORE_URLS", "set one of these");
        }
        return port != variables.Number("PORT", 8080, 0, 65_535)
            ? port
            : throw new StartRefusedException(Name, "it is the port of the server", "write another");
    }

    private static string Node(Variables variables)
    {
        var name = variables.Text("RESCIND_NODE");
        if (name is null)
        {
            var host = new string([.. Environment.MachineName.Where(char.IsAsciiLetterOrDigit).Take(32)]);
            return $"{(host.Length > 0 ? host : "node")}-{Guid.NewGuid().ToString("n")[..8]}";
        }
        return name.Length <= LongestNode
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
            ? name
            : throw new StartRefusedException(
                "RESCIND_NODE", $"'{Variables.Shown(name)}' is not a name",
                "write 1 to 64 letters, digits, dots, dashes or underscores");
    }

    private static string Name(Variables variables, string variable)
    {
        var name = variables.Text(variable) ?? "rescind";
        return name.Length <= LongestName && !name.Any(char.IsControl)
            ? name
            : throw new StartRefusedException(
                variable, "it is too long or has control characters",
                $"write at most {LongestName} characters");
    }

    /// <summary>Without one of its own choice a node draws a key, and can verify its own chain
    /// only.</summary>
    private static AuditKey AuditKeyOf(Variables variables, DataFolder data)
    {
        const int Shortest = 32;
        var secret = variables.Secret("AUDIT_KEY") ?? data.ReadOrMakeSecret("audit-key", out _);
        return Encoding.UTF8.GetByteCount(secret) >= Shortest
            ? new AuditKey(secret)
            : throw new StartRefusedException(
                "AUDIT_KEY", $"it is shorter than {Shortest} bytes",
                "write the same random text on all nodes, for example from: openssl rand -hex 32");
    }

    private static (string? Email, string? Password) FirstAdministrator(Variables variables)
    {
        var email = variables.Text("ADMIN_EMAIL");
        var password = variables.Secret("ADMIN_PASSWORD");
        if (email is not null && Credentials.WrongWithEmail(email) is not null)
        {
            throw new StartRefusedException("ADMIN_EMAIL", "it is not an e-mail address", "write one");
        }
        if (password is not null && Credentials.WrongWithPassword(password) is not null)
        {
            throw new StartRefusedException("ADMIN_PASSWORD", "its length is wrong",
                $"write {Credentials.ShortestPassword} to {Credentials.LongestPassword} characters");
        }
        if (email is null != password is null)
        {
            var (missing, given) = email is null
                ? ("ADMIN_EMAIL", "ADMIN_PASSWORD")
                : ("ADMIN_PASSWORD", "ADMIN_EMAIL");
            throw new StartRefusedException(missing, $"it is missing, and {given} is set",
                "set both or neither");
        }
        return (email, password);
    }

    private static IReadOnlyList<string> Origins(Variables variables)
    {
        foreach (var origin in variables.List("CORS_ORIGINS"))
        {
            if (!Uri.TryCreate(origin, UriKind.Absolute, out var uri)
                || uri.Scheme is not ("http" or "https")
                || uri.GetLeftPart(UriPartial.Authority) != origin)
            {
                throw new StartRefusedException(
                    "CORS_ORIGINS", $"'{Variables.Shown(origin)}' is not an origin",
                    "write origins as https://app.example.com, with commas between them");
            }
        }
        return variables.List("CORS_ORIGINS");
    }

    private static List<IPNetwork> Proxies(Variables variables)
    {
        var proxies = new List<IPNetwork>();
        foreach (var text in variables.List("FORWARDED_PROXIES"))
        {
            if (IPNetwork.TryParse(text, out var network))
            {
                proxies.Add(network);
            }
            else if (IPAddress.TryParse(text, out var address))
            {
                proxies.Add(new IPNetwork(address, address.GetAddressBytes().Length * 8));
            }
            else
            {
                throw new StartRefusedException(
                    "FORWARDED_PROXIES", $"'{Variables.Shown(text)}' is not an address",
                    "write addresses or networks as 10.0.0.0/8, with commas between them");
            }
        }
        return proxies;
    }
}
