using System.Xml.Linq;

namespace PoolApi.Packages.Tests.Support;

/// <summary>The samples and the snippets of the documentation, copied out of the repository and built there with the packages, all in one build.</summary>
public sealed class BuiltSamples(LocalFeed feed) : IAsyncLifetime
{
    private static readonly string[] Built = ["bin", "obj", "data", "packages.lock.json"];

    /// <summary>The sample that is not built: its test publishes it, which compiles it.</summary>
    public const string Published = "NativeAot";

    public string Folder { get; } = Path.Combine(feed.Workspace, "samples");

    /// <summary>Every sample of the repository.</summary>
    internal static IReadOnlyList<string> Names { get; } =
        [.. Directory.EnumerateDirectories(Path.Combine(Repository.Root, "samples")).Select(static folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    public async ValueTask InitializeAsync()
    {
        foreach (string name in Names) Copy(Path.Combine(Repository.Root, "samples", name), Path.Combine(Folder, name));
        SnippetCount = Snippets.Write(Path.Combine(Folder, Snippets.Name));
        new XElement("Solution", Names.Where(static name => name != Published).Append(Snippets.Name).Select(static name => new XElement("Project", new XAttribute("Path", $"{name}/{name}.csproj")))).Save(Path.Combine(Folder, "Samples.slnx"));
        await ProgramRun.ApartAsync(Folder, "dotnet", "build", "Samples.slnx", "-c", "Release", "-v:q", "-nologo", "-warnaserror");
    }

    /// <summary>How many snippets the build has compiled.</summary>
    internal int SnippetCount { get; private set; }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask; // the feed's folder is deleted as a whole

    /// <summary>Starts a sample that serves HTTP, and waits until it listens.</summary>
    internal Task<RunningApp> ListenAsync(string name, params string[] arguments) => RunningApp.ListenAsync(Path.Combine(Folder, name), "dotnet", [Program(name), .. arguments]);

    /// <summary>The program of a sample.</summary>
    internal string Program(string name) =>
        Directory.EnumerateFiles(Path.Combine(Folder, name, "bin", "Release", "net10.0"), "*.runtimeconfig.json").Single().Replace(".runtimeconfig.json", ".dll", StringComparison.Ordinal);

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from).Where(static file => !Built.Contains(Path.GetFileName(file)))) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (string folder in Directory.EnumerateDirectories(from).Where(static folder => !Built.Contains(Path.GetFileName(folder)))) Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
    }
}
