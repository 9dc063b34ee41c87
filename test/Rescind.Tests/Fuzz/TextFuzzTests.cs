using System.Net;
using System.Text.RegularExpressions;
using CsCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Rescind.Server.Audit;
using Rescind.Server.Limits;
using Rescind.Server.Settings;
using Rescind.Tests.Server;

namespace Rescind.Tests.Fuzz;

/// <summary>Texts that operators write, that proxies hand on, and that spreadsheets read.</summary>
public sealed partial class TextFuzzTests : IDisposable
{
    private const string Password = "hunter2-Xq7-of-more-than-32-bytes!";
    private static readonly IPAddress Proxy = IPAddress.Parse("10.1.2.3");
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void No_cell_starts_a_formula_wherever_a_spreadsheet_cuts_and_every_text_comes_back() =>
        Gen.Select(Cells, Cells, Cells).Try((agent, note, actor) =>
        {
            var csv = AuditCsv.Of([Row(agent, note, actor)]);
            var lines = Parsed(csv);
            Assert.Equal(2, lines.Count);
            Assert.All(lines, line => Assert.Equal(15, line.Count));
            Assert.Equal([agent, note, actor], new[] { lines[1][9], lines[1][11], lines[1][6] }.Select(AuditCsv.TextOf));

            // Not every program cuts at commas, and not every one minds the quotes.
            var cells = lines[1].Concat(csv.Split(';', '\t', '\r', '\n'));
            Assert.DoesNotContain(cells, cell => Formula().IsMatch(cell.TrimStart('"')));
        }, 5_000);

    [Fact]
    public void An_address_is_the_same_caller_however_it_is_written() =>
        Gen.Select(Gen.Byte.Array[16], Gen.Byte.Array[8]).Try((bytes, other) =>
        {
            var (v4, v6) = (new IPAddress(bytes[..4]), new IPAddress(bytes));
            Assert.Equal(CallerAddress.Of(v4), CallerAddress.Of(v4.MapToIPv6()));
            if (!v6.IsIPv4MappedToIPv6)
            {
                Assert.Equal(CallerAddress.Of(v6), CallerAddress.Of(new IPAddress([.. bytes[..8], .. other])));
                Assert.NotEqual(CallerAddress.Of(v6), CallerAddress.Of(v4));
            }
        }, 5_000);

    /// <summary>The proxy appends the address that it saw; whatever stood there before was written by the caller.</summary>
    [Fact]
    public async Task Forwarded_headers_cannot_make_somebody_else_the_caller()
    {
        await using var server = await ServerUnderTest.StartAsync(("FORWARDED_PROXIES", "10.0.0.0/8"));
        var forwarded = new ForwardedHeadersMiddleware(
            _ => Task.CompletedTask, NullLoggerFactory.Instance,
            server.Services.GetRequiredService<IOptions<ForwardedHeadersOptions>>());
        var look = server.Services.GetRequiredService<StrangeProxy>();
        await Gen.Select(
            Hostile.Texts(Hostile.OneOf("\"", "198.51.100.7", "[2001:db8::1]:99, 10.1.2.3", "10.1.2.3", "unknown", "::ffff:10.1.2.3")),
            Hostile.Texts(Hostile.OneOf("https", "http, https")), Gen.Bool)
        .TryAsync(async (forged, scheme, isProxy) =>
        {
            var context = new DefaultHttpContext();
            context.Connection.RemoteIpAddress = isProxy ? Proxy : IPAddress.Parse("192.0.2.1");
            context.Request.Headers["X-Forwarded-For"] = $"{forged}, 203.0.113.9";
            context.Request.Headers["X-Forwarded-Proto"] = scheme;
            await look.Look(context, forwarded.Invoke);
            Assert.Equal(isProxy ? "203.0.113.9" : "192.0.2.1", CallerAddress.Of(context.Connection.RemoteIpAddress));
        }, 1_000);
    }

    [Fact]
    public void Settings_are_taken_or_refused_in_one_line_that_holds_no_secret() =>
        Hostile.OneOf(Settings).SelectMany(setting =>
            Hostile.Texts(Gen.Const(setting.Value)).Select(value => (setting.Name, Value: value)))
        .Array[1, 3].Try(changes =>
        {
            var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
            {
                ["JWT_SECRET"] = Password, ["RESCIND_DATA"] = _folder.PathOf("data"),
            };
            foreach (var (name, value) in changes)
            {
                values[name] = value;
            }
            var configuration = new ConfigurationBuilder().AddInMemoryCollection(values).Build();
            try
            {
                var environment = SettingsReader.EnvironmentName(configuration, "Production");
                Assert.NotEmpty(SettingsReader.Read(configuration, environment).Node);
            }
            catch (StartRefusedException fault)
            {
                Assert.DoesNotContain(fault.Message, char.IsControl);
                Assert.DoesNotContain(Password[..7], fault.Message, StringComparison.Ordinal);
                Assert.InRange(fault.Message.Length, 10, 600);
            }
        }, 3_000);

    private static Gen<string> Cells => Hostile.Texts(Hostile.OneOf(
        "=1+1", "Mozilla/5.0 (X11; Linux) =HYPERLINK(\"http://x\")", "a;=cmd|'/c calc'!A0", "'=quoted", "line\r\n@more", "\t-2+3", "plain"))
        .Select(text => text.Replace("\0", "", StringComparison.Ordinal));

    private static (string Name, string Value)[] Settings { get; } =
    [
        ("PORT", "8080"), ("JWT_SECRET", Password), ("JWT_PREVIOUS_SECRET", Password), ("ALGORITHM", "HS256"), ("JWT_ISSUER", "rescind"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "30"), ("REFRESH_TOKEN_EXPIRE_DAYS", "7"), ("REFRESH_GRACE_SECONDS", "30"),
        ("BLACKLIST_WHEN_UNKNOWN", "refuse"), ("BLACKLIST_WAIT", "stored"), ("BLACKLIST_FRESHNESS_MS", "1000"), ("LONGEST_TOKEN_LIFETIME_DAYS", "7"),
        ("DATABASE_URL", $"postgresql+asyncpg://user:{Password}@host:5432/db?sslmode=require&connect_timeout=3"),
        ("REDIS_URL", $"redis://user:{Password}@host:6379/0"), ("REDIS_KEY_MIRROR", "mita:blacklist:token:{jti}"), ("BLACKLIST_LOG_KEY", Password),
        ("UPSTASH_URL", "https://name.upstash.io"), ("UPSTASH_AUTH_TOKEN", Password), ("ADMIN_EMAIL", "a@b.example"), ("ADMIN_PASSWORD", Password),
        ("CORS_ORIGINS", "https://app.example.com,http://localhost:3000"), ("FORWARDED_PROXIES", "10.0.0.0/8, ::1"),
        ("SMTP_URL", $"smtp://user:{Password}@host:587"), ("MAIL_FROM", "Rescind <no-reply@example.com>"), ("ALERT_WEBHOOK_URL", $"https://hook.example/{Password}"),
        ("ALERT_WEBHOOK_SECRET", Password), ("MAINTENANCE_DAILY", "0 2 * * *"), ("MAINTENANCE_HOURLY", "0 * * * *"), ("AUDIT_RETENTION_DAYS", "90"),
        ("AUDIT_KEY", Password), ("METRICS_TOKEN", Password), ("MANAGEMENT_PORT", "9090"), ("RESCIND_NODE", "node-1"), ("ENVIRONMENT", "Development"),
        ("RATE_LIMIT_ENABLED", "false"), ("TOKENS_CARRY_IAT", "true"),
    ];

    private static AuditRow Row(string agent, string note, string actor) => new()
    {
        Chain = "node", Number = 1, EventType = "login_failed", ActorType = "anonymous", Count = 1, Timestamp = DateTime.UnixEpoch,
        KeyId = "", Hash = [], UserAgent = agent, Note = note, Actor = actor,
    };

    /// <summary>A reader of RFC 4180.</summary>
    private static List<List<string>> Parsed(string csv)
    {
        var (lines, cells, cell, isQuoted) = (new List<List<string>>(), new List<string>(), new System.Text.StringBuilder(), false);
        for (var i = 0; i < csv.Length; i++)
        {
            if (csv[i] == '"' && isQuoted && i + 1 < csv.Length && csv[i + 1] == '"')
            {
                cell.Append(csv[i++]);
            }
            else if (csv[i] == '"')
            {
                isQuoted = !isQuoted;
            }
            else if (!isQuoted && (csv[i] == ',' || csv[i..].StartsWith("\r\n", StringComparison.Ordinal)))
            {
                cells.Add(cell.ToString());
                cell.Clear();
                if (csv[i] != ',')
                {
                    i++;
                    lines.Add(cells);
                    cells = [];
                }
            }
            else
            {
                cell.Append(csv[i]);
            }
        }
        Assert.Equal((0, 0, false), (cells.Count, cell.Length, isQuoted));
        return lines;
    }

    [GeneratedRegex(@"^[\s\p{Cc}\p{Cf}]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]")]
    private static partial Regex Formula();
}
