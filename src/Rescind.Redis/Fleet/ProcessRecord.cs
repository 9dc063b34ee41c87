namespace Rescind.Redis;

/// <summary>What the fleet hash says of one process, at one moment.</summary>
/// <param name="Beat">Its heartbeat counter; grows with every heartbeat, never resets.</param>
/// <param name="Epoch">The epoch that the following holds for.</param>
/// <param name="Confirmed">The number up to which it has applied the log.</param>
/// <param name="HasReadTail">Whether a read of it reached the tail, so that it may hold a lease.</param>
/// <param name="HasReported">Whether it has given back what this epoch's log had lost.</param>
/// <param name="Name">Its name, from its options.</param>
/// <param name="Version">The version of Rescind it runs.</param>
internal sealed record ProcessRecord(
    ulong Beat, string Epoch, ulong Confirmed, bool HasReadTail, bool HasReported, string Name,
        string Version)
{
    /// <summary>Reads a record as the scripts write it.</summary>
    /// <exception cref="IOException">It is none.</exception>
    public static ProcessRecord Parse(string text)
    {
        var words = text.Split(' ');
        if (words.Length < 7 || !ulong.TryParse(words[0], out var beat)
            || !ulong.TryParse(words[2], out var number))
        {
            throw new IOException("The fleet hash in Redis holds a record that this version cannot read.");
        }
        return new ProcessRecord(
            beat, words[1], number, words[4] == "1", words[5] == "1",
            Uri.UnescapeDataString(words[6]), words.Length > 7 ? words[7] : "");
    }

    /// <summary>The details that stand behind what the scripts keep: name, version, format of
    /// entries.</summary>
    public static string Details(string name, string version) =>
        $"{Uri.EscapeDataString(name)} {Uri.EscapeDataString(version)} 1";
}
