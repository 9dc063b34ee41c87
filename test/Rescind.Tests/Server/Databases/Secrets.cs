namespace Rescind.Tests.Server;

/// <summary>What may stand in no log, whatever a test did: looked for in all that every server of a test run has
/// written, when it ends.</summary>
public static class Secrets
{
    /// <summary>How a JWT of ours begins, and how hashes of passwords do.</summary>
    private static readonly string[] Beginnings = ["eyJhbGciOi", "AQAAAAI", "$2a$", "$2b$", "$2y$"];

    public static void AreNotIn(IEnumerable<string> lines, params string[] secrets)
    {
        foreach (var line in lines)
        {
            var found = Beginnings.Concat(secrets).FirstOrDefault(
                secret => line.Contains(secret, StringComparison.Ordinal));
            Assert.True(found is null, $"A log line holds something that begins with {found?[..4]}: {line[..Math.Min(line.Length, 200)]}");
        }
    }
}
