using System.Runtime.CompilerServices;
using System.Xml.Linq;

namespace Rescind.Tests;

/// <summary>The files of this repository as the tidy tests see them: what git tracks or could track.</summary>
internal static class Repository
{
    private static readonly string[] Ignored = ["bin", "obj", "artifacts", "data", ".git", "TestResults"];

    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../.."));

    /// <summary>Paths relative to the root, with <c>/</c>.</summary>
    public static IReadOnlyList<string> Files { get; } =
        [.. Walk(Root).Select(file => Path.GetRelativePath(Root, file)).Order(StringComparer.Ordinal)];

    public static IEnumerable<string> Sources => Files.Where(file =>
        file.EndsWith(".cs", StringComparison.Ordinal) && !file.Contains("/Migrations/", StringComparison.Ordinal));

    public static IEnumerable<string> ProductSources =>
        Sources.Where(file => file.StartsWith("src/", StringComparison.Ordinal));

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    /// <summary>The names of the projects that a project of <c>src</c> references directly.</summary>
    public static IEnumerable<string> ProjectReferences(string project) =>
        XDocument.Parse(Read($"src/{project}/{project}.csproj")).Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value));

    public static IEnumerable<string> PackageReferences(string project) =>
        XDocument.Parse(Read($"src/{project}/{project}.csproj")).Descendants("PackageReference")
            .Where(reference => reference.Attribute("PrivateAssets") is null)
            .Select(reference => reference.Attribute("Include")!.Value);

    private static IEnumerable<string> Walk(string folder) =>
        Directory.GetFiles(folder).Concat(Directory.GetDirectories(folder)
            .Where(inner => !Ignored.Contains(Path.GetFileName(inner)))
            .SelectMany(Walk));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
