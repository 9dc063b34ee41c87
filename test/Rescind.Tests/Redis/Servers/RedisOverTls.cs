using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Rescind.Tests.Redis;

/// <summary>A server that speaks TLS only, with a certificate of a throw-away authority, and knows one user beside the
/// closed default one.</summary>
internal sealed class RedisOverTls : IAsyncDisposable
{
    public const string User = "app";
    public const string Password = "p@ss:w/rd";

    private readonly TestFolder _folder;
    private readonly RedisServer _server;

    private RedisOverTls(TestFolder folder, RedisServer server, int port) =>
        (_folder, _server, Port) = (folder, server, port);

    public int Port { get; }

    /// <summary>The authority, which nobody trusts by himself.</summary>
    public string AuthorityFile => _folder.PathOf("ca.pem");

    public string Url => $"rediss://{User}:{Uri.EscapeDataString(Password)}@localhost:{Port}";

    public RedisServer Server => _server;

    public static async Task<RedisOverTls> StartAsync()
    {
        var (folder, port) = (new TestFolder(), RedisServer.FreePort());
        MakeCertificates(folder);
        var server = await RedisServer.StartAsync(
            "--tls-port", $"{port}", "--tls-auth-clients", "no", "--tls-ca-cert-file", folder.PathOf("ca.pem"),
            "--tls-cert-file", folder.PathOf("server.pem"), "--tls-key-file", folder.PathOf("server.key"));
        await server.CommandAsync("ACL", "SETUSER", User, "on", ">" + Password, "~*", "&*", "+@all");
        return new RedisOverTls(folder, server, port);
    }

    /// <summary>Goes on with a certificate that was good until yesterday; who is connected has to connect again.</summary>
    public Task ExpireAsync() => UseAsync("expired.pem");

    public Task RenewAsync() => UseAsync("server.pem");

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    private async Task UseAsync(string certificate)
    {
        await _server.CommandAsync("CONFIG", "SET", "tls-cert-file", _folder.PathOf(certificate));
        await _server.CommandAsync("CLIENT", "KILL", "USER", User);
    }

    private static void MakeCertificates(TestFolder folder)
    {
        var now = DateTimeOffset.UtcNow;
        var (from, to) = (now.AddDays(-3), now.AddDays(1));
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Rescind tests", authorityKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = request.CreateSelfSigned(from, to);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var server = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        server.CertificateExtensions.Add(names.Build());
        using var certificate = server.Create(authority, from, to, [1, 2, 3, 4]);
        using var expired = server.Create(authority, from, now.AddDays(-1), [1, 2, 3, 5]);
        File.WriteAllText(folder.PathOf("ca.pem"), authority.ExportCertificatePem());
        File.WriteAllText(folder.PathOf("server.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(folder.PathOf("expired.pem"), expired.ExportCertificatePem());
        File.WriteAllText(folder.PathOf("server.key"), key.ExportPkcs8PrivateKeyPem());
    }
}
