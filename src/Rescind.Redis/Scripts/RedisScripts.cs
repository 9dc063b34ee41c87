namespace Rescind.Redis;

/// <summary>The scripts as they are sent: what all begin with, then the script itself. Their texts are pinned
/// by golden files, because nodes of two versions run theirs on one log.</summary>
internal static class RedisScripts
{
    public static string Append { get; } = Load("append.lua");

    public static string Heartbeat { get; } = Load("heartbeat.lua");

    public static string Trim { get; } = Load("trim.lua");

    public static string Lock { get; } = Load("lock.lua");

    private static string Load(string name) => Text("history.lua") + "\n" + Text(name);

    /// <summary>The text of one script.</summary>
    public static string Text(string name)
    {
        using var stream = typeof(RedisScripts).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
