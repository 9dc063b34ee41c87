using System.Security.Cryptography;
using System.Text;
using Rescind.Server.Answers;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Operations;

/// <summary>What metrics and the API description tell is for the operator. In Development the door is open.
/// In Production they are on <c>MANAGEMENT_PORT</c>, where nothing but them and health is, or they ask for
/// <c>METRICS_TOKEN</c>; without either they are not there. The comparison takes the same time for every
/// guess.</summary>
internal sealed class OperatorDoor(ServerSettings settings)
{
    private static readonly string[] Rooms = ["/metrics", "/openapi"];

    private readonly byte[]? _hash = settings.MetricsToken is { } token ? HashOf(token) : null;

    public async Task Guard(HttpContext context, RequestDelegate next)
    {
        var path = context.Request.Path;
        // As routing compares paths, so that no spelling leads around the door.
        var isRoom = Array.Exists(
            Rooms, room => path.StartsWithSegments(room, StringComparison.OrdinalIgnoreCase));
        var isManagement = context.Connection.LocalPort == settings.ManagementPort;
        var isOpen = settings.IsDevelopment || isManagement;
        var isHealth = path.StartsWithSegments("/health", StringComparison.OrdinalIgnoreCase);
        if (isManagement && !isRoom && !isHealth)
        {
            await Refusals.OfStatus(404).ExecuteAsync(context);
        }
        else if (isRoom && !isOpen && RefusalOf(context.Request) is { } refusal)
        {
            await refusal.ExecuteAsync(context);
        }
        else
        {
            await next(context);
        }
    }

    private Refusal? RefusalOf(HttpRequest request)
    {
        if (_hash is null)
        {
            return Refusals.OfStatus(404);
        }
        return Caller.BearerOf(request) is not { } shown ? Refusals.NoToken
            : CryptographicOperations.FixedTimeEquals(HashOf(shown), _hash) ? null
            : Refusals.Invalid;
    }

    private static byte[] HashOf(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}
