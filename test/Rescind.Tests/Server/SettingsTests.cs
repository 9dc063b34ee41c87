using System.Diagnostics;
using System.Runtime.Versioning;
using Microsoft.Extensions.Configuration;
using Rescind.Server.Settings;

namespace Rescind.Tests.Server;

/// <summary>Configuration: what is obeyed, and that everything else stops the start with one line.</summary>
[SupportedOSPlatform("linux")]
public sealed class SettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rescind-settings-").FullName;

    public static TheoryData<string, string> WrongValues => new()
    {
        { "PORT", "eighty" },
        { "PORT", "70000" },
        { "PORT", "-1" },
        { "JWT_SECRET", "too short" },
        { "JWT_PREVIOUS_SECRET", "too short" },
        { "JWT_SECRET_FILE", "/nowhere/secret" },
        { "ALGORITHM", "none" },
        { "JWT_PRIVATE_KEY_FILE", "/nowhere/key.pem" },
        { "ACCESS_TOKEN_EXPIRE_MINUTES", "0" },
        { "ACCESS_TOKEN_EXPIRE_MINUTES", "1.5" },
        { "ACCESS_TOKEN_EXPIRE_MINUTES", "20160" },
        { "REFRESH_TOKEN_EXPIRE_DAYS", "-7" },
        { "REFRESH_GRACE_SECONDS", "half a minute" },
        { "DATABASE_URL", "mysql://user:secret@host/database" },
        { "DATABASE_URL", "postgresql://host/database" },
        { "DATABASE_URL", "postgresql://user:secret@host/" },
        { "DATABASE_URL", "postgresql://user:secret@host/database?colour=red" },
        { "DATABASE_URL", "postgresql://user:secret@host/database?sslmode=perhaps" },
        { "LONGEST_TOKEN_LIFETIME_DAYS", "1" },
        { "BLACKLIST_WHEN_UNKNOWN", "maybe" },
        { "TOKENS_CARRY_IAT", "mostly" },
        { "BLACKLIST_WAIT", "forever" },
        { "BLACKLIST_FRESHNESS_MS", "1" },
        { "RESCIND_NODE", "two words" },
        { "RESCIND_DATA", "/proc/nowhere" },
        { "JWT_ISSUER", "line\nbreak" },
        { "ADMIN_EMAIL", "nobody" },
        { "ADMIN_PASSWORD", "short" },
        { "CORS_ORIGINS", "app.example.com" },
        { "CORS_ORIGINS", "https://app.example.com/path" },
        { "FORWARDED_PROXIES", "proxy.example.com" },
        { "ENVIRONMENT", "prod" },
        { "REDIS_URL", "http://127.0.0.1" },
        { "REDIS_URL", "redis://:secret password@" },
        { "REDIS_REQUIRED", "true" },
        { "REDIS_STRICT", "true" },
        { "REDIS_STRICT", "perhaps" },
        { "REDIS_SERVERS", "3" },
        { "REDIS_SERVERS", "0" },
        { "REDIS_SERVERS", "all" },
        { "REDIS_KEY_MIRROR", "blacklist:{jti}" },
        { "REDIS_KEY_MIRROR", "blacklist" },
        { "REDIS_KEY_MIRROR", "{jti}" },
        { "BLACKLIST_LOG_KEY", "anything" },
        { "BLACKLIST_LOG_KEY", "a key without a Redis, but long enough" },
        { "SMTP_URL", "http://127.0.0.1" },
        { "RATE_LIMIT_ENABLED", "perhaps" },
        { "AUDIT_RETENTION_DAYS", "0" },
        { "AUDIT_KEY", "short" },
        { "MAINTENANCE_DAILY", "every day" },
        { "MAINTENANCE_HOURLY", "61 * * * *" },
        { "MANAGEMENT_PORT", "0" },
        { "MANAGEMENT_PORT", "8080" },
    };

    [Theory]
    [MemberData(nameof(WrongValues))]
    public void A_wrong_value_is_refused_in_one_line_that_names_the_variable(string name, string value)
    {
        var algorithm = name == "JWT_PRIVATE_KEY_FILE" ? ("ALGORITHM", "RS256")
            : ("RESCIND_NODE", null as string);
        var refused = Assert.Throws<StartRefusedException>(() => Read(algorithm, (name, value)));

        Assert.StartsWith(name, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
        if (name.Contains("SECRET", StringComparison.Ordinal)
            || name.Contains("PASSWORD", StringComparison.Ordinal))
        {
            Assert.DoesNotContain(value, refused.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Whoever forgets to encode a password, or has the secret in the path, must not find it in a log.</summary>
    [Theory]
    [InlineData("DATABASE_URL", "postgresql://user@host/database?hidden@host/database")]
    [InlineData("ALERT_WEBHOOK_URL", "hook.example/services/hidden")]
    public void Nothing_of_an_address_that_may_hold_a_secret_is_shown(string name, string value)
    {
        var refused = Assert.Throws<StartRefusedException>(
            () => Read((name, value), ("ALERT_WEBHOOK_SECRET", name[0] == 'A' ? ServerUnderTest.Secret : null)));
        Assert.StartsWith(name, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Npgsql throws an ArgumentException for it; in a file it can stand as it is.</summary>
    [Theory]
    [InlineData("postgresql://user:hid\0den@host/database")]
    [InlineData("postgresql://user:hid%00den@host/database")]
    [InlineData("postgresql://us%00er:hidden@host/database")]
    [InlineData("postgresql://user:hidden@host/data%00base")]
    [InlineData("postgresql://user:hidden@host/database?application_name=a%00b")]
    public void A_database_address_with_a_zero_in_it_is_refused_in_one_line(string address)
    {
        var file = Path.Combine(_folder, "database-url");
        File.WriteAllText(file, address);
        var refused = Assert.Throws<StartRefusedException>(() => Read(("DATABASE_URL_FILE", file)));
        Assert.StartsWith("DATABASE_URL: ", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(refused.Message, char.IsControl);
        Assert.DoesNotContain("hid", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_set_gives_the_defaults_of_the_contract()
    {
        var settings = Read();

        Assert.Equal("http://127.0.0.1:8080", settings.ListenAt);
        Assert.Equal(TimeSpan.FromMinutes(30), settings.AccessLifetime);
        Assert.Equal(TimeSpan.FromDays(7), settings.RefreshLifetime);
        Assert.Equal(TimeSpan.FromDays(7), settings.LongestLifetime);
        Assert.Equal(("rescind", "rescind"), (settings.Issuer, settings.Audience));
        Assert.Equal(TimeSpan.FromSeconds(30), settings.RefreshGrace);
        Assert.Equal(ReceiptState.Everywhere, settings.WaitFor);
        Assert.Equal(TimeSpan.FromSeconds(1), settings.Freshness);
        Assert.False(settings.RefuseWhenUnknown);
        Assert.Equal("HS256", settings.Keys.Signing.Algorithm);
        Assert.Equal(TimeSpan.FromDays(90), settings.AuditRetention);
        Assert.Equal(
            ("0 2 * * *", "0 * * * *"), ($"{settings.Maintenance.Daily}", $"{settings.Maintenance.Hourly}"));
        Assert.True(settings.LimitsRates);
        Assert.NotEqual(Read().Node, settings.Node);
        object?[] absent =
        [
            settings.Redis, settings.Database, settings.Mail, settings.Maintenance.AlertUrl, settings.ManagementPort,
            settings.MetricsToken, settings.AdminEmail,
        ];
        Assert.All(absent, Assert.Null);
        Assert.Empty(settings.CorsOrigins);
        Assert.Empty(settings.Proxies);
        Assert.Empty(settings.Warnings);
        Assert.DoesNotContain(ServerUnderTest.Secret, settings.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_Redis_is_taken_from_either_pair_of_variables_and_never_shown()
    {
        Assert.Null(Read().Redis);
        var upstash = Read(("UPSTASH_URL", "https://name.upstash.io"), ("UPSTASH_AUTH_TOKEN", "to/ken"));
        Assert.Equal("rediss://default:to%2Fken@name.upstash.io:6379", upstash.Redis!.Address);
        var own = Read(
            ("REDIS_URL", "redis://:pass@127.0.0.1"), ("REDIS_REQUIRED", "TRUE"), ("REDIS_STRICT", "true"),
            ("UPSTASH_URL", "https://name.upstash.io"), ("UPSTASH_AUTH_TOKEN", "token"));
        Assert.Equal(new RedisSettings("redis://:pass@127.0.0.1", true, true, 1), own.Redis);
        Assert.Equal(3, Read(("REDIS_URL", "redis://127.0.0.1"), ("REDIS_SERVERS", "3")).Redis!.Servers);
        Assert.DoesNotContain("pass", own.Redis!.ToString(), StringComparison.Ordinal);
        Assert.Single(own.Warnings, warning => warning.StartsWith("REDIS_URL", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("https://name.upstash.io", null, "UPSTASH_AUTH_TOKEN")]
    [InlineData(null, "token", "UPSTASH_URL")]
    [InlineData("http://name.upstash.io", "token", "UPSTASH_URL")]
    [InlineData("https://name.upstash.io", "to ken", "UPSTASH_AUTH_TOKEN")]
    public void Half_an_Upstash_is_refused(string? url, string? token, string named)
    {
        var refused = Assert.Throws<StartRefusedException>(
            () => Read(("UPSTASH_URL", url), ("UPSTASH_AUTH_TOKEN", token)));
        Assert.StartsWith(named, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ALERT_WEBHOOK_URL", "https://alerts.example.com", "ALERT_WEBHOOK_SECRET")]
    [InlineData("ALERT_WEBHOOK_SECRET", "a secret of the webhook", "ALERT_WEBHOOK_URL")]
    [InlineData("SMTP_URL", "smtp://127.0.0.1", "MAIL_FROM")]
    [InlineData("MAIL_FROM", "a@example.com", "SMTP_URL")]
    [InlineData("ADMIN_EMAIL", "a@example.com", "ADMIN_PASSWORD")]
    [InlineData("ADMIN_PASSWORD", ServerUnderTest.Password, "ADMIN_EMAIL")]
    public void Half_a_pair_is_refused_and_the_other_half_named(string name, string value, string named)
    {
        var refused = Assert.Throws<StartRefusedException>(() => Read((name, value)));
        Assert.StartsWith(named + ": it is missing", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_set_is_obeyed()
    {
        var settings = Read(
            ("PORT", "9090"), ("RESCIND_NODE", "node-7"), ("JWT_ISSUER", "https://id.example.com"),
            ("JWT_AUDIENCE", "shop"), ("ACCESS_TOKEN_EXPIRE_MINUTES", "5"),
                ("REFRESH_TOKEN_EXPIRE_DAYS", "30"),
            ("BLACKLIST_WHEN_UNKNOWN", "Refuse"), ("BLACKLIST_WAIT", "stored"),
                ("BLACKLIST_FRESHNESS_MS", "250"), ("TOKENS_CARRY_IAT", "true"),
            ("LONGEST_TOKEN_LIFETIME_DAYS", "60"), ("FORWARDED_PROXIES", "10.0.0.0/8, ::1"),
            ("CORS_ORIGINS", "https://a.example.com,http://localhost:3000"), ("REDIS_REQUIRED", "false"));

        Assert.Equal("http://0.0.0.0:9090", settings.ListenAt);
        Assert.Equal("node-7", settings.Node);
        Assert.Equal(("https://id.example.com", "shop"), (settings.Issuer, settings.Audience));
        Assert.Equal(TimeSpan.FromMinutes(5), settings.AccessLifetime);
        Assert.Equal(TimeSpan.FromDays(60), settings.LongestLifetime);
        Assert.True(settings.RefuseWhenUnknown);
        Assert.True(settings.TokensCarryIssuedAt);
        Assert.Equal(ReceiptState.Stored, settings.WaitFor);
        Assert.Equal(TimeSpan.FromMilliseconds(250), settings.Freshness);
        Assert.Equal(2, settings.Proxies.Count);
        Assert.Equal(2, settings.CorsOrigins.Count);
    }

    [Fact]
    public void Addresses_set_by_other_means_stay_as_they_are() =>
        Assert.Null(Read(("urls", "http://127.0.0.1:7000"), ("PORT", "9090")).ListenAt);

    [Fact]
    public void A_secret_may_come_from_a_file()
    {
        var path = Path.Combine(_folder, "secret");
        File.WriteAllText(path, ServerUnderTest.Secret + "\n");
        var fromFile = Read(("JWT_SECRET", null), ("JWT_SECRET_FILE", path));

        Assert.Equal(Read().Keys.Signing.Key.KeyId, fromFile.Keys.Signing.Key.KeyId);
        var both = Assert.Throws<StartRefusedException>(() => Read(("JWT_SECRET_FILE", path)));
        Assert.StartsWith("JWT_SECRET_FILE", both.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Production_needs_a_secret_and_Development_makes_one_that_it_keeps()
    {
        Assert.Throws<StartRefusedException>(() => Read(("JWT_SECRET", null)));

        var made = Read(("JWT_SECRET", null), ("ENVIRONMENT", "Development"));
        var kept = Read(("JWT_SECRET", "too short"), ("ENVIRONMENT", "Development"));

        Assert.Single(made.Warnings, warning => warning.StartsWith("JWT_SECRET", StringComparison.Ordinal));
        Assert.Equal(made.Keys.Signing.Key.KeyId, kept.Keys.Signing.Key.KeyId);
        var file = Path.Combine(_folder, "data", "jwt-secret");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
            File.GetUnixFileMode(Path.Combine(_folder, "data")));
    }

    [Fact]
    public async Task The_process_ends_with_one_line_and_no_stack_trace()
    {
        var start =
            new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Rescind.Server.dll")])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = _folder,
        };
        start.Environment["ENVIRONMENT"] = "Production";
        start.Environment["JWT_SECRET"] = "too short to be safe";
        using var process = Process.Start(start)!;
        var (error, output) =
            (process.StandardError.ReadToEndAsync(), process.StandardOutput.ReadToEndAsync());
        await process.WaitForExitAsync();

        Assert.NotEqual(0, process.ExitCode);
        var line = Assert.Single((await error).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("JWT_SECRET: it is shorter than 32 bytes; write", line, StringComparison.Ordinal);
        Assert.Empty(await output);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private ServerSettings Read(params (string Name, string? Value)[] changes)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
        {
            ["JWT_SECRET"] = ServerUnderTest.Secret,
            ["RESCIND_DATA"] = Path.Combine(_folder, "data"),
        };
        foreach (var (name, value) in changes)
        {
            values[name] = value;
        }
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(values).Build();
        return SettingsReader.Read(configuration,
            SettingsReader.EnvironmentName(configuration, "Production"));
    }
}
