#:property TreatWarningsAsErrors=true
#:property PublishAot=false
// The project's commands. `dotnet run build.cs test [name]` builds everything with warnings as errors and runs the
// tests; `dotnet run build.cs soak <what>` runs what takes longer. The last line of a test run is "N passed, N failed".
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

const string Configuration = "Release";
const string SimulationProgram = $"test/Rescind.Simulation/bin/{Configuration}/net10.0/Rescind.Simulation";
const double LeastBranches = 95;
const string Counted = "Rescind.Tests";
const string Chaos = "*ChaosTests";
const string CoverageFolder = "artifacts/coverage";
const string PublishedFolder = "artifacts/server";
string[] countedNamespaces = ["Rescind.Tests", "Rescind.Tests.AspNetCore"];
string[] uncounted = ["TidyTests", "TokenTableSizeTests", "VerifiedBytesTests", "Sqlite*"];
string[] debianPackages = ["apache2-utils", "curl", "faketime", "nginx", "postgresql", "prometheus", "python3-aiosmtpd", "redis-server"];
var testLimit = TimeSpan.FromMinutes(14);
Func<int>? publishing = null;
Directory.SetCurrentDirectory(Path.GetDirectoryName(ThisFile())!);

return args switch
{
    ["test"] => Test(null),
    ["test", var name] => Test(name),
    ["bench"] => CompareWithCommitted(),
    ["soak", "kill"] => Soak("*Durability*", ("RESCIND_SOAK_ROUNDS", "100")),
    ["soak", "fleet"] => Soak("*ReceiptTests*", ("RESCIND_SOAK_TRIES", "100000")),
    ["soak", "load"] => Soak("*ProfileLoad*", ("RESCIND_SOAK_SECONDS", "60")),
    ["soak", "simulation"] => !Build() ? 1 : Run(SimulationProgram, ["lives", "200000", "1000000"], [], isLong: true),
    ["soak", "mistakes"] => FindMistakes(""),
    ["soak", "mistakes", var name] => FindMistakes(name),
    ["soak", "fuzz"] => Soak("*Fuzz*", ("RESCIND_FUZZ_TIMES", "50"), "Rescind.Tests"),
    ["soak", "requests"] => Soak("*GeneratedRequest*", ("RESCIND_SOAK_REQUESTS", "200000")),
    ["soak", "clients"] => Soak("*SlowClientTests*", ("RESCIND_SOAK", "1")),
    ["soak", "model"] => SearchModels(),
    ["soak", "mutants"] => Mutate(),
    ["soak", "outage"] => Soak("*OutageTests*", ("RESCIND_SOAK_SECONDS", "600")),
    ["soak", "chaos"] => Soak(Chaos, ("RESCIND_SOAK_SECONDS", "600")),
    _ => Usage(),
};

int Usage()
{
    Console.Error.WriteLine(
        """
        dotnet run build.cs test          build, then run every test
        dotnet run build.cs test <name>   one project, class or test: any part of its name
        dotnet run build.cs bench         measures, and compares the ratios with the committed ones
        dotnet run build.cs soak kill     kill -9 after the answer of a logout, 100 times
        dotnet run build.cs soak fleet    100,000 revocations, refused by every process at the instant of the receipt
        dotnet run build.cs soak load     60 seconds at the machine's limit against the profile
        dotnet run build.cs soak simulation   200,000 lives of a simulated fleet
        dotnet run build.cs soak mistakes [<name>]   plants each tempting mistake in a copy, or those whose name holds
                                          this, and has the simulation find it
        dotnet run build.cs soak fuzz     everything that parses, 50 times as many hostile inputs as in a test run
        dotnet run build.cs soak requests 200,000 requests drawn from the API description of a running server
        dotnet run build.cs soak clients  thousands of slow, idle and half-open clients, and what others notice of them
        dotnet run build.cs soak model        spin searches the models of the protocol, and each with one mistake
        dotnet run build.cs soak mutants  changes each operator of the core, and has the tests notice it
        dotnet run build.cs soak outage   Redis killed, then frozen, for 10 minutes each, under load
        dotnet run build.cs soak chaos    10 minutes of faults on real processes, the history read against the promises
        """);
    return 2;
}

int Test(string? name)
{
    if (!InstallPackages(debianPackages) || !Build())
    {
        return 1;
    }
    var (passed, failed) = (0, 0);

    // The simulation waits for nothing but its cores: it takes those that the other tests leave idle.
    var lives = name is null || "Simulation".Contains(name, StringComparison.OrdinalIgnoreCase)
        ? Beside(SimulationProgram, "lives", "2000")
        : null;
    publishing = name is null ? Publish() : null;
    foreach (var project in TestProjects())
    {
        var counts = RunTests(project, name is null ? AllBut(project) : Filter(project, name), []);
        passed += counts.Passed;
        failed += counts.Failed;
    }
    if (name is null)
    {
        var counts = RunCounted();
        var isCovered = AreBranchesTaken();
        (passed, failed) = (passed + counts.Passed + (isCovered ? 1 : 0), failed + counts.Failed + (isCovered ? 0 : 1));

        // On its own: it takes all cores, and others ask how long something takes.
        var chaos = RunTests("Rescind.EndToEnd", ["-class", Chaos], []);
        (passed, failed) = (passed + chaos.Passed, failed + chaos.Failed);
    }
    if (name is null || "Benchmarks".Contains(name, StringComparison.OrdinalIgnoreCase))
    {
        // None may rot between two measurements; how fast anything is, this run does not ask.
        var hasRun = Measure(isLong: false, "short") == 0;
        (passed, failed) = (passed + (hasRun ? 1 : 0), failed + (hasRun ? 0 : 1));
    }
    if (lives is not null)
    {
        var isKept = lives() == 0;
        (passed, failed) = (passed + (isKept ? 1 : 0), failed + (isKept ? 0 : 1));
    }
    Console.WriteLine($"{passed} passed, {failed} failed");
    return failed == 0 && passed > 0 ? 0 : 1;
}

// What runs apart from the others, and what an ordinary run leaves out.
string[] AllBut(string project)
{
    string[] soaks = ["-class-", Chaos, "-class-", "*SlowClientTests"];

    // Those of one process mostly wait, for Redis and for leases that end.
    return project != Counted ? soaks
        : [
            "-filter", $"/*/{None(countedNamespaces)}", "-filter", $"/*/{Any(countedNamespaces)}/{Any(uncounted)}",
            "-maxThreads", "2x",
        ];
}

static string Any(string[] names) => string.Join('|', names.Select(name => $"({name})"));

static string None(string[] names) => string.Join('&', names.Select(name => $"(!{name})"));

// The tests of core and guard, instrumented: each runs once and counts branches while it tests. What measures memory
// or sizes runs with the others, because instruments take some of both.
(int Passed, int Failed) RunCounted()
{
    if (Directory.Exists(CoverageFolder))
    {
        Directory.Delete(CoverageFolder, recursive: true);
    }
    const string report = Counted + ".counted.xml";
    var exit = Run("dotnet",
        [
            "test", "--project", $"test/{Counted}", "-c", Configuration, "--no-build", "--no-progress",
            "--results-directory", CoverageFolder, "--report-xunit-xml", "--report-xunit-xml-filename", report,
            "--coverlet", "--coverlet-single-hit", "--coverlet-output-format", "json",
            "--coverlet-include", "[Rescind]*", "--coverlet-include", "[Rescind.AspNetCore]*",
            "--filter-query", $"/*/{Any(countedNamespaces)}/{None(uncounted)}",
        ],
        []);
    return Counts($"{Counted}, counting branches", Path.Combine(CoverageFolder, report), exit);
}

bool AreBranchesTaken()
{
    var report = Directory.Exists(CoverageFolder) ? Directory.GetFiles(CoverageFolder, "*.json").FirstOrDefault() : null;
    var taken = report is null ? [] : Branches(report).ToList();
    (string Name, string Folder)[] rooms = [("core", "/src/Rescind/"), ("guard", "/src/Rescind.AspNetCore/Bearer/")];
    var isCovered = true;
    var figures = new List<string>();
    foreach (var (name, room) in rooms)
    {
        var here = taken.Where(branch => branch.Place.Contains(room, StringComparison.Ordinal)).ToList();
        var percent = 100.0 * here.Count(branch => branch.Hits > 0) / here.Count;
        figures.Add($"{name} {percent:0.0} % of {here.Count}");
        if (!(percent >= LeastBranches))
        {
            isCovered = false;
            Console.WriteLine(string.Join('\n', here.Where(branch => branch.Hits == 0).Select(branch => branch.Place)));
        }
    }
    Console.WriteLine($"Branches taken by tests: {string.Join(", ", figures)}");
    return isCovered;
}

// coverlet's own form: module, file, class, method, then its branches.
IEnumerable<(string Place, int Hits)> Branches(string report)
{
    using var json = JsonDocument.Parse(File.ReadAllText(report));
    foreach (var file in json.RootElement.EnumerateObject().SelectMany(module => module.Value.EnumerateObject()))
    {
        foreach (var branch in file.Value.EnumerateObject().SelectMany(type => type.Value.EnumerateObject())
            .SelectMany(method => method.Value.GetProperty("Branches").EnumerateArray()))
        {
            yield return ($"{file.Name}:{branch.GetProperty("Line")}", branch.GetProperty("Hits").GetInt32());
        }
    }
}

// One room of the core after the other, each with its own tests: Stryker runs all of them for every mutant.
int Mutate()
{
    Directory.SetCurrentDirectory("test/Rescind.Mutants");
    (string Room, string[] Files)[] rooms =
    [
        ("judging", ["**/Judging.cs", "**/Feed/Lease.cs", "**/Feed/LogClock.cs"]), ("index", ["**/Index/**"]),
        ("feed", ["!**/Judging.cs", "!**/Feed/L*.cs", "!**/Index/**", "!**/Journal/**"]), ("journal", ["**/Journal/**"]),
    ];
    var failed = Run("dotnet", ["tool", "restore"], []);
    foreach (var (room, files) in rooms)
    {
        string[] mutate = [.. files.SelectMany(file => new[] { "--mutate", file })];
        failed += Run("dotnet", ["stryker", .. mutate], [("MutantsOf", room)], isLong: true);
    }
    return failed == 0 ? 0 : 1;
}

int CompareWithCommitted() => InstallPackages(["redis-server"]) && Build()
    ? Measure(isLong: true, "gate", "benchmarks/Rescind.Benchmarks/ratios.txt")
    : 1;

int Measure(bool isLong, params string[] words) =>
    Run($"benchmarks/Rescind.Benchmarks/bin/{Configuration}/net10.0/Rescind.Benchmarks", words, [], isLong: isLong);

// mistakes.txt: "== what", then one or more of "-- file", "<< what stands there", ">> what to write instead". Behind a
// bar stands what else refutes a mistake that is rarer than one in 500 lives.
int FindMistakes(string name)
{
    var copy = Directory.CreateTempSubdirectory("rescind-mistakes-").FullName;
    var notFound = Run("git", ["clone", "-q", ".", copy], []);
    var all = ("\n" + File.ReadAllText("test/Rescind.Simulation/mistakes.txt")).Split("\n== ")[1..];
    foreach (var mistake in all.Where(one => one.Split('\n')[0].Contains(name, StringComparison.Ordinal)))
    {
        Run("git", ["-C", copy, "checkout", "-q", "."], []);
        foreach (var patch in mistake.Split("\n-- ")[1..])
        {
            var path = Path.Combine(copy, patch.Split('\n')[0]);
            var parts = patch.Split("\n<< ")[1].Split("\n>>");
            var (old, wrong) = (parts[0], parts[1]);
            var (before, text) = (File.ReadAllText(path), wrong.StartsWith(' ') ? wrong[1..].TrimEnd('\n') : "");
            if (!before.Contains(old, StringComparison.Ordinal))
            {
                Console.Error.WriteLine($"{patch.Split('\n')[0]} does not hold what the mistake replaces: {old}");
                return 1;
            }
            File.WriteAllText(path, before.Replace(old, text, StringComparison.Ordinal));
        }
        var title = mistake.Split('\n')[0].Split(" | ");
        Console.Write($"{title[0]}: ");
        var project = Path.Combine(copy, "test/Rescind.Simulation");
        string[] build = ["build", project, "-c", Configuration, "-v", "quiet", "-nologo", "-p:RunAnalyzers=false"];
        if (Run("dotnet", build, [], quiet: true) != 0)
        {
            Console.WriteLine("does not build");
            return 1;
        }
        if (Run($"{project}/bin/{Configuration}/net10.0/Rescind.Simulation", ["find", "500"], []) != 0)
        {
            notFound += title.Length == 1 ? 1 : 0;
            Console.WriteLine(title.Length == 1 ? "Nothing finds it." : $"Refuted by {title[1]}.");
        }
    }
    Directory.Delete(copy, recursive: true);
    return notFound == 0 ? 0 : 1;
}

// variants.txt: a model, what it is compiled with, and whether spin must find a counterexample ("fails") or none ("holds").
int SearchModels()
{
    if (!InstallPackages(["gcc", "libc6-dev", "spin"]))
    {
        return 1;
    }
    Console.WriteLine("| model | variant | states | depth | seconds | verdict |\n|---|---|---|---|---|---|");
    var wrong = 0;
    foreach (var line in File.ReadLines("test/Rescind.Model/variants.txt").Where(line => line.Length != 0))
    {
        wrong += SearchModel(line.Split(' ')) ? 0 : 1;
    }
    return wrong == 0 ? 0 : 1;
}

// The right model is searched depth first, with little memory; a variant breadth first: its counterexample is a shortest.
bool SearchModel(string[] words)
{
    var (model, mustHold, defines) = (words[0], words[1] == "holds", words[2..]);
    var folder = Directory.CreateTempSubdirectory("rescind-model-").FullName;
    var source = Path.GetFullPath($"test/Rescind.Model/{model}.pml");
    var watch = Stopwatch.StartNew();
    var how = mustHold ? "-DCOLLAPSE" : "-DBFS";
    var script = $"spin -a {string.Join(' ', defines)} {source} && gcc -O2 -DSAFETY -DMEMLIM=4000 {how} -o pan pan.c"
        + " && ./pan -m2000000 > found";
    var isSearched = Run("sh", ["-c", $"cd {folder} && {script}"], []) == 0;
    var text = isSearched ? File.ReadAllText(Path.Combine(folder, "found")) : "";
    Directory.Delete(folder, recursive: true);
    var isWhole = !text.Contains("max search depth too small", StringComparison.Ordinal)
        && !text.Contains("Search not completed", StringComparison.Ordinal);
    var verdict = Number("errors: ") switch
    {
        "0" when isWhole => "holds",
        "1" when text.Contains("assertion violated", StringComparison.Ordinal) => "fails",
        _ => "not complete",
    };
    var isRight = verdict == (mustHold ? "holds" : "fails");
    Console.WriteLine($"| {model} | {string.Join(' ', defines).Replace("-D", "")} | {Number(@"(?=\d+ states, stored)")} "
        + $"| {Number("depth reached ")} | {watch.Elapsed.TotalSeconds:0} | {verdict}{(isRight ? "" : ": WRONG")} |");
    return isRight;

    string Number(string before) => Regex.Match(text, $@"{before}(\d+)", RegexOptions.None, TimeSpan.FromSeconds(1)).Groups[1].Value;
}

int Soak(string filter, (string Name, string Value) setting, string project = "Rescind.EndToEnd")
{
    if (!InstallPackages(debianPackages) || !Build())
    {
        return 1;
    }
    var (passed, failed) = RunTests(project, ["-class", filter, "-showLiveOutput"], [setting]);
    Console.WriteLine($"{DateTime.UtcNow:yyyy-MM-dd} {Environment.ProcessorCount} cores: {passed} passed, {failed} failed");
    return failed == 0 && passed > 0 ? 0 : 1;
}

bool Build()
{
    var targets = new List<string> { "Rescind.slnx" };
    targets.AddRange(Directory.GetFiles("samples", "*.cs").Order(StringComparer.Ordinal));
    foreach (var target in targets)
    {
        if (Run("dotnet", ["build", target, "-c", Configuration, "-nologo", "-v", "quiet"], []) != 0)
        {
            Console.Error.WriteLine($"{target} does not build.");
            return false;
        }
    }
    return true;
}

// The server as it is deployed, compiled ahead of time: the tests of whole processes start it about a hundred times. Those
// within one process do not need it, and run meanwhile.
Func<int> Publish()
{
    string[] how = ["--use-current-runtime", "--no-self-contained", "-p:PublishReadyToRun=true", "-p:RunAnalyzers=false"];
    return Beside("dotnet",
        ["publish", "src/Rescind.Server", "-c", Configuration, "-nologo", "-v", "quiet", "-o", PublishedFolder, .. how]);
}

IEnumerable<string> TestProjects() =>
    Directory.GetDirectories("test").Select(folder => Path.GetFileName(folder)!).OrderDescending(StringComparer.Ordinal)
        .Where(project => File.Exists($"test/{project}/{project}.csproj") && project is not ("Rescind.Simulation" or "Rescind.Mutants"));

// A name that is a project selects it whole; otherwise it is part of a class or a test.
string[]? Filter(string project, string? name)
{
    if (name is null || project.EndsWith(name, StringComparison.OrdinalIgnoreCase))
    {
        return [];
    }
    return TestProjects().Any(other => other.EndsWith(name, StringComparison.OrdinalIgnoreCase))
        ? null
        : ["-method", $"*{name}*"];
}

// With settings it is a soak, which takes as long as it takes.
(int Passed, int Failed) RunTests(string project, string[]? filter, (string Name, string Value)[] settings)
{
    if (filter is null)
    {
        return (0, 0);
    }
    if (project == "Rescind.EndToEnd" && (publishing ?? Publish())() != 0)
    {
        return (0, 1);
    }
    var report = Path.Combine("artifacts", project + ".xml");
    Directory.CreateDirectory("artifacts");
    File.Delete(report);
    var runner = $"test/{project}/bin/{Configuration}/net10.0/{project}";

    // Servers that live for seconds: what the compiler would do to make them faster later costs more than it saves (a
    // method is compiled anew after 512 calls; the variable is hexadecimal). A soak is long.
    var isLong = settings.Length != 0;
    (string, string)[] shortLives = [("DOTNET_TieredPGO", "0"), ("DOTNET_TC_CallCountThreshold", "200")];
    return Counts(project, report, Run(
        runner, ["-noLogo", "-noColor", "-result-xml", report, .. filter], isLong ? settings : shortLives, isLong: isLong));
}

(int Passed, int Failed) Counts(string what, string report, int exit)
{
    if (!File.Exists(report))
    {
        Console.Error.WriteLine($"{what} ended with exit code {exit} and no report.");
        return (0, 1);
    }
    var assemblies = XDocument.Load(report).Root!.Elements("assembly").ToList();
    var (passed, failed) = (Sum("passed"), Sum("failed") + Sum("errors") + Sum("skipped"));
    Console.WriteLine($"{what}: {passed} passed, {failed} failed");
    return (passed, exit != 0 && failed == 0 && passed > 0 ? 1 : failed);

    int Sum(string name) => assemblies.Sum(assembly => (int?)assembly.Attribute(name) ?? 0);
}

bool InstallPackages(string[] packages)
{
    var missing = packages.Where(package => Run("dpkg", ["-s", package], [], quiet: true) != 0).ToArray();
    if (missing.Length == 0)
    {
        return true;
    }
    if (Environment.UserName == "root" && File.Exists("/usr/bin/apt-get"))
    {
        return Run("apt-get", ["update", "-qq"], []) == 0
            && Run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", .. missing], []) == 0;
    }
    Console.Error.WriteLine($"Tests need Debian packages. Run: sudo apt-get install {string.Join(' ', missing)}");
    return false;
}

// Runs at the lowest priority beside what this command does meanwhile. What is returned waits for its end, prints what
// it said and gives its exit code.
Func<int> Beside(string program, params string[] words)
{
    var process = Process.Start(new ProcessStartInfo(program, words)
    {
        RedirectStandardOutput = true, UseShellExecute = false,
    })!;
    process.PriorityClass = ProcessPriorityClass.Idle;
    var said = process.StandardOutput.ReadToEndAsync();
    return () =>
    {
        if (!process.WaitForExit(testLimit))
        {
            Console.Error.WriteLine($"{program} took longer than {testLimit.TotalMinutes} minutes and was ended.");
            process.Kill(entireProcessTree: true);
        }
        process.WaitForExit();
        Console.Write(said.Result);
        return process.ExitCode;
    };
}

int Run(
    string program, string[] arguments, (string Name, string Value)[] settings, bool quiet = false, bool isLong = false)
{
    var start = new ProcessStartInfo(program, arguments)
    {
        RedirectStandardOutput = quiet, RedirectStandardError = quiet, RedirectStandardInput = true,
        UseShellExecute = false,
    };
    foreach (var (name, value) in settings)
    {
        start.Environment[name] = value;
    }
    start.Environment["RESCIND_SERVER"] = Path.GetFullPath(Path.Combine(PublishedFolder, "Rescind.Server.dll"));

    // No build node is left behind: one that stays would keep this command's output open after its end.
    start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
    try
    {
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        if (quiet)
        {
            process.StandardOutput.ReadToEnd();
        }
        if (!isLong && !process.WaitForExit(testLimit))
        {
            Console.Error.WriteLine($"{program} took longer than {testLimit.TotalMinutes} minutes and was ended.");
            process.Kill(entireProcessTree: true);
        }
        process.WaitForExit();
        return process.ExitCode;
    }
    catch (System.ComponentModel.Win32Exception fault)
    {
        Console.Error.WriteLine($"{program}: {fault.Message}");
        return 1;
    }
}

static string ThisFile([CallerFilePath] string path = "") => path;
