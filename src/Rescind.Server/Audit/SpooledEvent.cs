using System.Text.Json;

namespace Rescind.Server.Audit;

/// <summary>An event as it stands in the node's file.</summary>
internal static class SpooledEvent
{
    public static string Write(AuditRow row) => JsonSerializer.Serialize(row);

    /// <param name="stored">What stands there.</param>
    /// <exception cref="InvalidDataException">It is no event.</exception>
    public static AuditRow Read(object stored)
    {
        try
        {
            var row = stored is string json ? JsonSerializer.Deserialize<AuditRow>(json) : null;
            return row is { Chain: not null, EventType: not null, ActorType: not null, KeyId: not null,
                Hash: not null }
                ? row
                : throw new InvalidDataException("an event in it lacks fields");
        }
        catch (JsonException fault)
        {
            throw new InvalidDataException("an event in it cannot be read", fault);
        }
    }

    /// <summary>The event of a row, for another place in another chain.</summary>
    public static AuditEvent Of(AuditRow row) => new(row.EventType)
    {
        UserId = row.UserId, Jti = row.Jti, TokenType = row.TokenType, Reason = row.Reason, Actor = row.Actor,
        ActorType = row.ActorType, Ip = row.Ip, UserAgent = row.UserAgent, RequestId = row.RequestId,
        Note = row.Note, Count = row.Count, Record = row.Record,
    };
}
