// Reads single variables. What it guarantees: an absent or empty variable gives the default, and anything
// else is either understood or stops the start with a line that names the variable. Values of secrets are
// never repeated.
using System.Globalization;

namespace Rescind.Server.Settings;

internal sealed class Variables(IConfiguration configuration)
{
    private const int LongestSecretBytes = 64 * 1024;

    public string? Text(string name)
    {
        var value = configuration[name];
        return string.IsNullOrWhiteSpace(value) ? null : value.Trim();
    }

    /// <summary>A secret, from the variable or from the file that <c>NAME_FILE</c> points to; line ends at
    /// the end of the file do not count, because editors and <c>echo</c> add them.</summary>
    public string? Secret(string name)
    {
        var path = Text(name + "_FILE");
        var value = configuration[name];
        if (path is null)
        {
            return string.IsNullOrWhiteSpace(value) ? null : value;
        }
        if (!string.IsNullOrWhiteSpace(value))
        {
            throw new StartRefusedException(
                name + "_FILE", $"{name} is set as well", $"set only one of {name} and {name}_FILE");
        }
        var secret = ReadFile(name + "_FILE", path).TrimEnd('\r', '\n');
        return secret.Length > 0
            ? secret
            : throw new StartRefusedException(name + "_FILE", "the file is empty",
                "write the secret into it");
    }

    /// <summary>The text of the file that a variable names.</summary>
    public static string ReadFile(string name, string path)
    {
        try
        {
            var file = new FileInfo(path);
            if (file.Exists && file.Length > LongestSecretBytes)
            {
                throw new StartRefusedException(
                    name, $"the file is larger than {LongestSecretBytes} bytes",
                    "name the file of the secret");
            }
            return File.ReadAllText(path);
        }
        catch (Exception fault) when (
            fault is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new StartRefusedException(
                name, $"the file cannot be read ({fault.GetType().Name})",
                "name a file that the user of this process may read");
        }
    }

    public int Number(string name, int byDefault, int least, int most)
    {
        if (Text(name) is not { } text)
        {
            return byDefault;
        }
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= least && number <= most
                ? number
                : throw new StartRefusedException(
                    name, $"'{Shown(text)}' is not a whole number from {least} to {most}",
                    $"write one, for example {byDefault}");
    }

    /// <summary>One of a few words, compared without regard to case; returns it as it is spelled
    /// here.</summary>
    public string Word(string name, string byDefault, params ReadOnlySpan<string> words)
    {
        if (Text(name) is not { } text)
        {
            return byDefault;
        }
        foreach (var word in words)
        {
            if (string.Equals(word, text, StringComparison.OrdinalIgnoreCase))
            {
                return word;
            }
        }
        throw new StartRefusedException(
            name, $"'{Shown(text)}' is not known", $"write {string.Join(" or ", words!)}");
    }

    /// <summary>Values between commas.</summary>
    public IReadOnlyList<string> List(string name) =>
        Text(name)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    /// <summary>A value as a message may show it: on one line, and not endless.</summary>
    public static string Shown(string value)
    {
        var start = value.Length > 60 ? value[..60] + "…" : value;
        return string.Concat(start.Select(letter => char.IsControl(letter) ? '?' : letter));
    }
}
