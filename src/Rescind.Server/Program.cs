using Rescind;
using Rescind.Server;
using Rescind.Server.Settings;

try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddAuthServer();
    var app = builder.Build();
    app.MapAuthServer();
    await app.RunAsync();
    return 0;
}
catch (StartRefusedException refused)
{
    // What an operator can put right is one line that says how; a stack trace would bury it.
    await Console.Error.WriteLineAsync(refused.Message);
    return 1;
}
catch (OperationCanceledException)
{
    // Told to stop while it was still starting; nothing had been promised to anybody.
    return 0;
}
catch (Exception fault) when (fault is IOException or FleetSettingsException)
{
    // The port is taken, the file of revocations cannot be used, or the nodes on the log have other settings;
    // the message says which.
    await Console.Error.WriteLineAsync($"The server cannot start: {fault.Message.ReplaceLineEndings(" ")}");
    return 1;
}
