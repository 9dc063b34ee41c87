using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Rescind.AspNetCore;

/// <summary>
/// Answers as the contract writes them: <c>snake_case</c> names, times in RFC 3339 UTC, <c>success</c> and
/// <c>message</c> in each, a receipt for all that revokes. Uses options of its own, so the application's JSON
/// settings cannot rename a field that clients rely on.
/// </summary>
internal static class Answer
{
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new UtcTime() },
    };

    public static IResult Of(JsonObject body, string message, int status = StatusCodes.Status200OK)
    {
        body["success"] = true;
        body["message"] = message;
        return Results.Json(body, Json, statusCode: status);
    }

    /// <summary>200, or the given status, when a shared log holds it; 202 when only this node does.</summary>
    public static IResult Of(
        JsonObject body, string message, Receipt receipt, int whenStored = StatusCodes.Status200OK)
    {
        body["receipt"] = Of(receipt);
        var isJournaled = receipt.State == ReceiptState.Journaled;
        return Of(body, message, isJournaled ? StatusCodes.Status202Accepted : whenStored);
    }

    public static JsonObject Of(Receipt receipt) => new()
    {
        ["id"] = receipt.Id.ToString(),
        ["position"] = receipt.Position.ToString(),
        ["state"] = Word(receipt.State),
        ["nodes_confirmed"] = receipt.NodesConfirmed,
        ["nodes_expected"] = receipt.NodesExpected,
        ["elapsed_ms"] = Math.Round(receipt.Elapsed.TotalMilliseconds, 3),
    };

    public static JsonObject Of(Revocation revocation) => new()
    {
        ["id"] = revocation.Id == default ? null : revocation.Id.ToString(),
        ["target"] = new JsonObject
        {
            ["type"] = Word(revocation.Kind),
            ["value"] = revocation.Value,
            ["issuer"] = revocation.Issuer,
        },
        ["reason"] = revocation.Reason,
        ["actor"] = revocation.Actor,
        ["note"] = revocation.Note,
        ["made_at"] = revocation.MadeAt == default ? null : Time(revocation.MadeAt),
        ["issued_before"] = Time(revocation.IssuedBefore),
        ["expires_at"] = Time(revocation.ExpiresAt),
        ["lifted_at"] = Time(revocation.LiftedAt),
        ["lifted_by"] = revocation.LiftedBy,
        ["lift_reason"] = revocation.LiftReason,
    };

    public static string? Time(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    public static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    private sealed class UtcTime : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(
            ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.GetDateTimeOffset();

        public override void Write(
            Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(Time(value));
    }
}
