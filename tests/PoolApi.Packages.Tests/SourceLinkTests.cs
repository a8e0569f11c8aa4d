using System.Diagnostics;

namespace PoolApi.Packages.Tests;

/// <summary>A debugger finds the source of a package: its symbols have the address of each file in the commit that was built.</summary>
public sealed class SourceLinkTests
{
    [Fact]
    public async Task A_clone_from_a_known_host_gets_source_links_to_its_commit()
    {
        if (!Path.Exists(Path.Combine(Repository.Root, ".git"))) Assert.Skip("This source is not a git clone.");
        using var folder = new TemporaryFolder();
        await GitAsync(folder.Path, "clone", "--quiet", "--shared", Repository.Root, "clone");
        string clone = folder.File("clone");
        string commit = (await GitAsync(clone, "rev-parse", "HEAD")).Trim();
        await GitAsync(clone, "remote", "set-url", "origin", "https://github.com/owner/poolapi.git");

        // Makes the file that a build passes to the compiler, without compiling.
        await ProgramRun.ApartAsync(
            clone, "dotnet", "msbuild", "src/PoolApi.Threading", "-t:PrepareForBuild;GenerateSourceLinkFile", "-p:Configuration=Release", "-v:q", "-nologo");

        string made = Path.Combine(clone, "src", "PoolApi.Threading", "obj");
        string addresses = Assert.Single(Directory.EnumerateFiles(made, "*.sourcelink.json", SearchOption.AllDirectories));
        Assert.Contains(
            $"https://raw.githubusercontent.com/owner/poolapi/{commit}/*", await File.ReadAllTextAsync(addresses, TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
    }

    private static async Task<string> GitAsync(string folder, params string[] arguments) =>
        (await ProgramRun.ToEndAsync(new ProcessStartInfo("git", arguments) { WorkingDirectory = folder }, Patience.Long)).MustSucceed().Text;
}
