using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using CsCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;
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

    /// <summary>The proxy appends the address that it saw, behind a comma or as a line of its own; whatever stood there before
    /// was written by the caller. Asked of all that the server does with a request, in its order.</summary>
    [Fact]
    public async Task Forwarded_headers_cannot_make_somebody_else_the_caller()
    {
        var whole = new WholePipeline();
        await using var server = new ServerUnderTest { Replace = services => services.AddSingleton<IStartupFilter>(whole) };
        await server.StartWithAsync(("FORWARDED_PROXIES", "10.0.0.0/8"));
        await Gen.Select(
            Hostile.Texts(Hostile.OneOf(
                "\"", "198.51.100.7", "[2001:db8::1]:99, 10.1.2.3", "10.1.2.3", "unknown", "::ffff:10.1.2.3")).Array[0, 3],
            Hostile.Texts(Hostile.OneOf("https", "http, https")).Array[0, 2], Gen.Bool, Gen.Bool)
        .TryAsync(async drawn =>
        {
            var (forged, schemes, isProxy, isLine) = drawn;
            await using var scope = server.Services.CreateAsyncScope();
            var context = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
            context.Connection.RemoteIpAddress = isProxy ? Proxy : IPAddress.Parse("192.0.2.1");
            context.Request.Method = "GET";
            context.Request.Path = "/api/users/profile";
            context.Request.Headers["X-Forwarded-For"] = isLine || forged.Length == 0
                ? new StringValues([.. forged, "203.0.113.9"])
                : new StringValues([.. forged[..^1], $"{forged[^1]}, 203.0.113.9"]);
            context.Request.Headers["X-Forwarded-Proto"] = new StringValues(schemes);
            await whole.Answer(context);
            Assert.Equal(401, context.Response.StatusCode);
            Assert.Equal(isProxy ? "203.0.113.9" : "192.0.2.1", CallerAddress.Of(context.Connection.RemoteIpAddress));
        }, 1_000);
    }

    /// <summary>Takes hold of all that the server does with a request.</summary>
    private sealed class WholePipeline : IStartupFilter
    {
        public RequestDelegate Answer { get; private set; } = static _ => throw new InvalidOperationException("Not started.");

        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(rest => Answer = rest);
            next(app);
        };
    }

    [Fact]
    public void Settings_are_taken_or_refused_in_one_line_that_holds_no_secret()
    {
        var files = Secrets.Select(name => (Name: name + "_FILE", Value: FileOf("secret", Password)))
            .Append((Name: "JWT_PRIVATE_KEY_FILE", Value: FileOf("key", ECDsa.Create(ECCurve.NamedCurves.nistP256).ExportECPrivateKeyPem())));
        var folders = Hostile.Text.Select(text => (
            Name: "RESCIND_DATA", Value: _folder.PathOf("data/" + text.Replace("..", "", StringComparison.Ordinal))));
        Gen.Frequency(
            (30, Hostile.OneOf([.. Settings, .. files]).SelectMany(setting =>
                Hostile.Texts(Gen.Const(setting.Value)).Select(value => (setting.Name, Value: value)))),
            (1, folders))
            .Array[1, 3].Try(IsTakenOrRefused, 5_000);
    }

    /// <summary>What stands in the files that settings name.</summary>
    [Fact]
    public void Files_of_secrets_are_taken_or_refused_in_one_line_that_holds_no_secret()
    {
        var pem = Hostile.OneOf(
            RSA.Create(2048).ExportRSAPrivateKeyPem(), RSA.Create(2048).ExportPkcs8PrivateKeyPem(), RSA.Create(1024).ExportRSAPrivateKeyPem(),
            ECDsa.Create(ECCurve.NamedCurves.nistP256).ExportECPrivateKeyPem(),
            ECDsa.Create(ECCurve.NamedCurves.nistP384).ExportPkcs8PrivateKeyPem(),
            ECDsa.Create(ECCurve.NamedCurves.nistP256).ExportSubjectPublicKeyInfoPem());
        var number = 0;
        Gen.Frequency(
            (1, Hostile.OneOf(Secrets).SelectMany(name => Hostile.Texts(Gen.Const(
                Array.Find(Settings, one => one.Name == name).Value)).Select(text => (name + "_FILE", Text: text, "HS256")))),
            (1, Gen.Select(Hostile.Texts(pem), Hostile.OneOf("RS256", "ES256")).Select((text, algorithm) =>
                ("JWT_PRIVATE_KEY_FILE", Text: text, algorithm))))
            .Try((name, text, algorithm) => IsTakenOrRefused(
                [(name, FileOf($"drawn-{Interlocked.Increment(ref number)}", text)), ("ALGORITHM", algorithm)]), 1_000);
    }

    /// <summary>A variable that somebody adds is tried too, or this fails.</summary>
    [Fact]
    public void Every_variable_that_the_server_reads_is_tried()
    {
        string[] words = ["HS256", "RS256", "ES256", "ASPNETCORE_ENVIRONMENT", "RESCIND_DATA", "JWT_PRIVATE_KEY_FILE"];
        var texts = Repository.ProductSources
            .Where(file => file.StartsWith("src/Rescind.Server/", StringComparison.Ordinal))
            .Select(Repository.Read).Where(text => text.Contains("Variables variables", StringComparison.Ordinal)).ToList();
        Assert.True(texts.Count >= 6, "The readers of variables were not found.");
        var names = texts.SelectMany(text => Literal().Matches(text).Select(match => match.Groups[1].Value)).Except(words);
        Assert.Equal(names.Order(StringComparer.Ordinal), Settings.Select(one => one.Name).Order(StringComparer.Ordinal));
        var secrets = texts.SelectMany(text => SecretOf().Matches(text).Select(match => match.Groups[1].Length > 0
            ? match.Groups[1].Value
            : Regex.Match(text, $"const string {match.Groups[2].Value} = \"([A-Z_]+)\"").Groups[1].Value));
        Assert.Equal(secrets.Distinct().Order(StringComparer.Ordinal), Secrets.Order(StringComparer.Ordinal));
    }

    private void IsTakenOrRefused((string Name, string Value)[] changes)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
        {
            ["JWT_SECRET"] = Password, ["RESCIND_DATA"] = _folder.PathOf("data"),
        };
        foreach (var (name, value) in changes)
        {
            values[name] = value;
            if (name == "JWT_SECRET_FILE")
            {
                values.Remove("JWT_SECRET");
            }
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
    }

    private string FileOf(string name, string text)
    {
        File.WriteAllBytes(_folder.PathOf(name), System.Text.Encoding.UTF8.GetBytes(text));
        return _folder.PathOf(name);
    }

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
        ("REDIS_SERVERS", "3"), ("REDIS_REQUIRED", "true"), ("REDIS_STRICT", "true"), ("JWT_AUDIENCE", "rescind"),
        ("UPSTASH_URL", "https://name.upstash.io"), ("UPSTASH_AUTH_TOKEN", Password), ("ADMIN_EMAIL", "a@b.example"), ("ADMIN_PASSWORD", Password),
        ("CORS_ORIGINS", "https://app.example.com,http://localhost:3000"), ("FORWARDED_PROXIES", "10.0.0.0/8, ::1"),
        ("SMTP_URL", $"smtp://user:{Password}@host:587"), ("MAIL_FROM", "Rescind <no-reply@example.com>"), ("ALERT_WEBHOOK_URL", $"https://hook.example/{Password}"),
        ("ALERT_WEBHOOK_SECRET", Password), ("MAINTENANCE_DAILY", "0 2 * * *"), ("MAINTENANCE_HOURLY", "0 * * * *"), ("AUDIT_RETENTION_DAYS", "90"),
        ("AUDIT_KEY", Password), ("METRICS_TOKEN", Password), ("MANAGEMENT_PORT", "9090"), ("RESCIND_NODE", "node-1"), ("ENVIRONMENT", "Development"),
        ("RATE_LIMIT_ENABLED", "false"), ("TOKENS_CARRY_IAT", "true"),
    ];

    /// <summary>Each of them may be in a file that <c>NAME_FILE</c> names.</summary>
    private static string[] Secrets { get; } =
    [
        "JWT_SECRET", "JWT_PREVIOUS_SECRET", "AUDIT_KEY", "ADMIN_PASSWORD", "METRICS_TOKEN", "DATABASE_URL", "REDIS_URL",
        "BLACKLIST_LOG_KEY", "UPSTASH_AUTH_TOKEN", "SMTP_URL", "ALERT_WEBHOOK_SECRET",
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

    [GeneratedRegex("\"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)\"")]
    private static partial Regex Literal();

    [GeneratedRegex("""Secret\((?:"([A-Z_]+)"|([A-Z]\w+))\)""")]
    private static partial Regex SecretOf();
}
