using System.CommandLine;
using System.Text.Json;

namespace Rescind.Cli;

/// <summary>Logs in at the server that the options name.</summary>
internal delegate Task<AdminClient> Connect(ParseResult result, CancellationToken cancel);

/// <summary>The commands that ask and print.</summary>
internal static class Commands
{
    /// <summary><c>rescind status</c>: the go-live list; exit code 1 when something is not well.</summary>
    public static Command Status(Connect connect)
    {
        var command = new Command("status", "How the server is doing: each line of the go-live list.");
        command.SetAction(async (result, cancel) =>
        {
            using var client = await connect(result, cancel);
            var answer = await client.SendAsync(HttpMethod.Get, "/api/auth/security/status", null, cancel);
            foreach (var check in answer.GetProperty("checks").EnumerateArray())
            {
                var isOk = check.GetProperty("ok").GetBoolean();
                var word = isOk ? "ok  " : "LOOK";
                Console.WriteLine($"{word} {Text(check, "name"),-16} {Text(check, "detail")}");
                if (!isOk)
                {
                    Console.WriteLine($"     {"",-16} → {Text(check, "remedy")}");
                }
            }
            return Text(answer, "status") == "ok" ? 0 : 1;
        });
        return command;
    }

    /// <summary><c>rescind audit verify</c>: exit code 1 when the trail is not intact.</summary>
    public static Command VerifyAudit(Connect connect)
    {
        var command = new Command(
            "verify", "Reads every chain of the audit trail and says whether it is intact.");
        command.SetAction(async (result, cancel) =>
        {
            using var client = await connect(result, cancel);
            var answer = await client.SendAsync(HttpMethod.Get, "/api/auth/admin/audit/verify", null, cancel);
            foreach (var node in answer.GetProperty("nodes").EnumerateArray())
            {
                var broken = node.GetProperty("first_broken");
                var found = broken.ValueKind == JsonValueKind.Null
                    ? "intact"
                    : $"BROKEN at {broken.GetProperty("number")}: {Text(broken, "problem")}";
                Console.WriteLine($"{Text(node, "node")}: {node.GetProperty("events")} events, {found}");
                Console.WriteLine($"  head {Text(node, "head")}");
            }
            return answer.GetProperty("intact").GetBoolean() ? 0 : 1;
        });
        return command;
    }

    private static string? Text(JsonElement body, string name) => body.GetProperty(name).GetString();
}
