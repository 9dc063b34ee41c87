namespace Rescind.Server.Settings;

/// <summary>Variables of the contract that this version cannot obey yet. Ignoring one would let an operator
/// believe that, say, revocations are shared through Redis; so setting one stops the start.</summary>
internal static class AbsentFeatures
{
    private static readonly (string Variable, string Feature)[] Absent =
    [
        ("MANAGEMENT_PORT", "a management port"),
    ];

    public static void Refuse(Variables variables)
    {
        foreach (var (name, feature) in Absent)
        {
            var set = variables.Text(name) ?? variables.Text(name + "_FILE");

            // "false" asks for what is the case anyway.
            if (set is not null && !string.Equals(set, "false", StringComparison.OrdinalIgnoreCase))
            {
                throw new StartRefusedException(
                    name, $"this version of the server does not have {feature} yet", "remove the variable");
            }
        }
    }
}
