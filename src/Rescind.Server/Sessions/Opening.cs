using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Tokens;

namespace Rescind.Server.Sessions;

/// <summary>Where a request comes from, as the owner of an account will see it.</summary>
internal readonly record struct Device(string? Address, string? UserAgent)
{
    private const int LongestUserAgent = 256;

    public static Device Of(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress;
        var agent = context.Request.Headers.UserAgent.ToString();
        return new Device(
            address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4().ToString() : address?.ToString(),
            agent.Length == 0 ? null : AuditEvent.Beginning(agent, LongestUserAgent));
    }
}

/// <summary>A session that was opened or refreshed, or why it was not.</summary>
internal readonly record struct Opening(Account? Account, string? Session, TokenPair? Pair, Refusal? Refusal)
{
    public static Opening Refused(Refusal refusal) => new(null, null, null, refusal);
}
