using Rescind.Server.Answers;

namespace Rescind.Server.Administration;

/// <summary>Fields that a call cannot do without; an empty one counts as absent.</summary>
internal static class Required
{
    public static Refusal? Missing(params ReadOnlySpan<(string Name, string? Value)> fields)
    {
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var (name, value) in fields)
        {
            if (string.IsNullOrEmpty(value))
            {
                errors[name] = [$"{name} is missing."];
            }
        }
        return errors.Count == 0 ? null : Refusals.Invalidated(errors);
    }
}
