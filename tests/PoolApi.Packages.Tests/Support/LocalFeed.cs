using System.Globalization;
using System.Xml.Linq;

[assembly: AssemblyFixture(typeof(PoolApi.Packages.Tests.Support.LocalFeed))]

namespace PoolApi.Packages.Tests.Support;

/// <summary>A folder with all packages of this repository, and the NuGet settings to restore from it. Made once for all tests.</summary>
public sealed class LocalFeed : IAsyncLifetime
{
    /// <summary>The address of the source in the metadata of these packages.</summary>
    public const string RepositoryUrl = "https://example.org/poolapi";

    // Where the runtime keeps the files of mutexes.
    private const string Mutexes = "/tmp/.dotnet/shm";

    private readonly TemporaryFolder _folder = new();
    private readonly string _compilerServer = $"poolapi-{Guid.NewGuid():N}";

    /// <summary>A folder outside of the repository, for apps that use the packages. At first it has only the NuGet settings.</summary>
    public string Workspace => Directory.CreateDirectory(_folder.File("apps")).FullName;

    internal IReadOnlyList<Package> Packages { get; private set; } = [];

    private string Feed => _folder.File("feed");

    public async ValueTask InitializeAsync()
    {
        ProgramRun.CompilerServer = _compilerServer;
        string project = _folder.File("pack.proj");
        new XElement("Project", new XElement("Target", new XAttribute("Name", "Pack"), new XElement(
            "MSBuild",
            new XAttribute("Projects", string.Join(';', Packable.Projects)),
            new XAttribute("Targets", "Pack"),
            new XAttribute("BuildInParallel", true),
            new XAttribute("Properties", string.Join(';',
                "NoBuild=true", "_IsPacking=true", $"Configuration={Repository.Configuration}", $"PackageOutputPath={Feed}", $"RepositoryUrl={RepositoryUrl}"))))).Save(project);
        await ProgramRun.ApartAsync(Repository.Root, "dotnet", "msbuild", project, "-t:Pack", "-v:q", "-nologo", "-warnaserror");
        Packages = [.. Directory.EnumerateFiles(Feed, "*.nupkg").Order(StringComparer.Ordinal).Select(static file => new Package(file))];

        // The machine's own package sources stay. Its package folder is only read, and packages are restored to a folder that is deleted at the end.
        string machine = (await ProgramRun.ApartAsync(Repository.Root, "dotnet", "nuget", "locals", "global-packages", "--list")).Split(": ", 2)[1].Trim();
        await File.WriteAllTextAsync(Path.Combine(Workspace, "nuget.config"), $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{_folder.File("restored")}" /></config>
              <fallbackPackageFolders><add key="machine" value="{machine}" /></fallbackPackageFolders>
              <packageSources><add key="packed" value="{Feed}" /></packageSources>
            </configuration>
            """);
    }

    public ValueTask DisposeAsync()
    {
        EndCompilerServer();
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Ends the compiler server. By itself it would end after ten idle minutes.</summary>
    private void EndCompilerServer()
    {
        foreach (string process in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out int id)) continue;
            try
            {
                if (File.ReadAllText(Path.Combine(process, "cmdline")).Contains($"-pipename:{_compilerServer}", StringComparison.Ordinal)) Libc.Send(id, UnixSignal.Terminate);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The process has ended, or belongs to another user.
            }
        }
        // A server that a signal ends leaves its socket and the file of its mutex.
        File.Delete($"/tmp/{_compilerServer}");
        if (!Directory.Exists(Mutexes)) return;
        foreach (string file in Directory.EnumerateFiles(Mutexes, $"{_compilerServer}*", new EnumerationOptions { RecurseSubdirectories = true })) File.Delete(file);
    }
}
