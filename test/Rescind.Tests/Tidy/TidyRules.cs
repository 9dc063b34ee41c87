using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Rescind.Tests;

/// <summary>What a file may not be, each rule a function from a name and a text to sentences; so that every rule can be
/// shown a file that breaks it.</summary>
internal static partial class TidyRules
{
    public const int LongestFile = 300;
    public const int LongestMethod = 60;
    public const int LongestLine = 110;
    public const int DeepestNesting = 3;

    private static readonly string[] KindsOfClass =
        ["Helpers", "Utils", "Common", "Services", "Interfaces", "Managers"];

    public static IEnumerable<string> Size(string file, string text)
    {
        var lines = text.TrimEnd('\n').Split('\n');
        if (lines.Length > LongestFile)
        {
            yield return $"{file} has {lines.Length} lines, more than {LongestFile}.";
        }
        foreach (var (number, line) in lines.Index().Where(line => line.Item.Length > LongestLine))
        {
            yield return $"{file}:{number + 1} is {line.Length} columns wide, more than {LongestLine}.";
        }
    }

    public static IEnumerable<string> Methods(string file, string text)
    {
        foreach (var method in Syntax(text).DescendantNodes().Where(IsMethod))
        {
            var span = method.GetLocation().GetLineSpan();
            var lines = span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
            if (lines > LongestMethod)
            {
                yield return $"{file}:{span.StartLinePosition.Line + 1} is a method of {lines} lines.";
            }
            var depth = method.DescendantNodes().Where(IsNesting)
                .Select(node => node.Ancestors().TakeWhile(outer => outer != method).Count(IsNesting) + 1)
                .DefaultIfEmpty().Max();
            if (depth > DeepestNesting)
            {
                yield return $"{file}:{span.StartLinePosition.Line + 1} nests {depth} deep.";
            }
        }
    }

    public static IEnumerable<string> Folders(string file, string text) =>
        file.Split('/').SkipLast(1).Intersect(KindsOfClass, StringComparer.OrdinalIgnoreCase)
            .Select(folder => $"{file} stands in '{folder}': folders are the steps of the data.");

    public static IEnumerable<string> Leftovers(string file, string text)
    {
        foreach (Match match in Leftover().Matches(text))
        {
            yield return $"{file} holds '{match.Value}'.";
        }
    }

    public static IEnumerable<string> SwallowedFaults(string file, string text) =>
        Syntax(text).DescendantNodes().OfType<CatchClauseSyntax>()
            .Where(clause => clause.Block.Statements.Count == 0 && !IsExplained(clause))
            .Select(clause => $"{file}:{clause.GetLocation().GetLineSpan().StartLinePosition.Line + 1} "
                + "catches and says nothing.");

    public static IEnumerable<string> Skips(string file, string text)
    {
        if (Skip().IsMatch(text))
        {
            yield return $"{file} skips a test.";
        }
    }

    public static IEnumerable<string> Titles(string file, string text)
    {
        var titles = Fences().Replace(text, "").Split('\n').Count(line => line.StartsWith("# ", StringComparison.Ordinal));
        if (titles != 1)
        {
            yield return $"{file} has {titles} titles.";
        }
    }

    /// <summary>Names in backticks that look like a type and are none.</summary>
    public static IEnumerable<string> RottenNames(string file, string text, IReadOnlySet<string> known) =>
        TypeName().Matches(Fences().Replace(text, "")).Select(match => match.Groups[1].Value).Distinct()
            .Where(name => !known.Contains(name))
            .Select(name => $"{file} speaks of `{name}`, which does not exist.");

    /// <summary>Every identifier of the source: types, members, files.</summary>
    public static IReadOnlySet<string> Identifiers(IEnumerable<string> texts) =>
        texts.SelectMany(text => Identifier().Matches(text).Select(match => match.Value))
            .ToHashSet(StringComparer.Ordinal);

    /// <summary>A fault may be passed over when it is named and a comment says why.</summary>
    private static bool IsExplained(CatchClauseSyntax clause) =>
        (clause.Filter is not null
            || clause.Declaration?.Type.ToString() is not (null or "Exception" or "System.Exception"))
        && clause.Block.DescendantTrivia().Any(trivia => trivia.IsKind(SyntaxKind.SingleLineCommentTrivia));

    private static SyntaxNode Syntax(string text) => CSharpSyntaxTree.ParseText(text).GetRoot();

    private static bool IsMethod(SyntaxNode node) =>
        node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AccessorDeclarationSyntax;

    private static bool IsNesting(SyntaxNode node) =>
        node is ForStatementSyntax or ForEachStatementSyntax or WhileStatementSyntax or DoStatementSyntax
            or SwitchStatementSyntax or TryStatementSyntax
        || node is IfStatementSyntax { Parent: not ElseClauseSyntax };

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX)\b|NotImplementedException|Thread\.Sleep")]
    private static partial Regex Leftover();

    [GeneratedRegex(@"\bSkip(When|Unless)?\s*=|Assert\.Skip")]
    private static partial Regex Skip();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fences();

    [GeneratedRegex(@"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`")]
    private static partial Regex TypeName();

    [GeneratedRegex(@"[A-Z]\w+")]
    private static partial Regex Identifier();
}
