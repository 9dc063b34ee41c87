// The command line: status, audit verify, import users. It speaks the administration of a server over HTTP
// and holds no state. Exit codes: 0 well, 1 not well (the server says so, or cannot be asked), 2 not
// understood.
using System.CommandLine;
using Rescind.Cli;

var server = new Option<string>("--server")
{
    Description = "The server's address; or RESCIND_URL.", Recursive = true,
    DefaultValueFactory = _ => Environment.GetEnvironmentVariable("RESCIND_URL") ?? "http://127.0.0.1:8080",
};
var email = new Option<string?>("--email")
{
    Description = "The administrator's e-mail address, its password in RESCIND_PASSWORD; or RESCIND_EMAIL. "
        + "Without either RESCIND_TOKEN holds an access token.",
    Recursive = true,
    DefaultValueFactory = _ => Environment.GetEnvironmentVariable("RESCIND_EMAIL"),
};
var root = new RootCommand("Administration of a Rescind server.") { server, email };
root.Add(Commands.Status(Connect));
root.Add(new Command("audit", "The audit trail.") { Commands.VerifyAudit(Connect) });
root.Add(new Command("import", "Taking over from another service.") { ImportUsers.Command(Connect) });
var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    await parsed.InvokeAsync();
    return 2;
}
try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (RefusedException refused)
{
    await Console.Error.WriteLineAsync(refused.Message);
    return 1;
}

Task<AdminClient> Connect(ParseResult result, CancellationToken cancel) =>
    AdminClient.ConnectAsync(
        result.GetValue(server)!, result.GetValue(email), AdminClient.LongestWait, cancel);
