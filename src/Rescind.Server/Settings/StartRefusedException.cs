namespace Rescind.Server.Settings;

/// <summary>The server cannot start and an operator can put it right. The message is one line: what is wrong,
/// where, and what to write instead. It never shows the value of a secret.</summary>
internal sealed class StartRefusedException : Exception
{
    public StartRefusedException(string message, Exception? inner = null)
        : base(message.ReplaceLineEndings(" "), inner)
    {
    }

    public StartRefusedException(string variable, string wrong, string remedy)
        : this($"{variable}: {wrong}; {remedy}.")
    {
    }
}
