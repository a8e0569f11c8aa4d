using System.Diagnostics;
using System.Text.RegularExpressions;

namespace PoolApi.Packages.Tests;

/// <summary>The commands of docs/releasing.md, run on copies of the files that they change.</summary>
public sealed partial class ReleasePageTests
{
    private static readonly string[] Changed = ["PublicAPI.Shipped.txt", "PublicAPI.Unshipped.txt"];

    [Fact]
    public async Task The_commands_set_the_version_everywhere_and_ship_the_public_API()
    {
        using var folder = new TemporaryFolder();
        string[] files = [.. ((string[])["samples", "templates", "src"]).SelectMany(static top => Directory.EnumerateFiles(Path.Combine(Repository.Root, top), "*", SearchOption.AllDirectories))
            .Where(static file => (Changed.Contains(Path.GetFileName(file)) || Path.GetExtension(file) == ".csproj") && !file.Contains("/bin/", StringComparison.Ordinal) && !file.Contains("/obj/", StringComparison.Ordinal))
            .Select(static file => Path.GetRelativePath(Repository.Root, file)), "Directory.Build.props", "deploy/kubernetes/base/kustomization.yaml"];
        foreach (string file in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder.Path, file))!);
            File.Copy(Path.Combine(Repository.Root, file), Path.Combine(folder.Path, file));
        }
        const string Removed = "PoolApi.Threading.Removed() -> void";
        string pool = Path.Combine(folder.Path, "src", "PoolApi.Threading");
        File.AppendAllText(Path.Combine(pool, "PublicAPI.Shipped.txt"), Removed + "\n");
        File.AppendAllText(Path.Combine(pool, "PublicAPI.Unshipped.txt"), $"*REMOVED*{Removed}\n");
        string page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "releasing.md"), TestContext.Current.CancellationToken);
        string[] commands = [.. Commands().Matches(page).Select(static block => block.Groups[1].Value)];
        Assert.Equal(2, commands.Length);
        foreach (string command in commands)
            (await ProgramRun.ToEndAsync(new ProcessStartInfo("bash", ["-e", "-c", command]) { WorkingDirectory = folder.Path }, Patience.Long)).MustSucceed();

        string version = Version().Match(page).Groups[1].Value;
        Assert.Contains($"<VersionPrefix>{version}</VersionPrefix>", Read("Directory.Build.props"), StringComparison.Ordinal);
        Assert.Contains($"newTag: {version}\n", Read("deploy/kubernetes/base/kustomization.yaml"), StringComparison.Ordinal);
        Assert.DoesNotContain("Removed", Read("src/PoolApi.Threading/PublicAPI.Shipped.txt"), StringComparison.OrdinalIgnoreCase);
        string[] users = [.. files.Where(file => !file.StartsWith("src/", StringComparison.Ordinal) && Read(file).Contains("Include=\"PoolApi.", StringComparison.Ordinal))];
        Assert.True(users.Length > 5);
        Assert.All(users, file => Assert.All(References().Matches(Read(file)), match => Assert.Equal(version, match.Groups[1].Value)));
        foreach (string list in files.Where(static file => file.EndsWith("PublicAPI.Unshipped.txt", StringComparison.Ordinal)))
        {
            Assert.Equal("#nullable enable", Read(list).Trim());
            Assert.Subset(Lines(Path.Combine(folder.Path, list.Replace("Unshipped", "Shipped", StringComparison.Ordinal))), Lines(Path.Combine(Repository.Root, list)));
        }

        string Read(string file) => File.ReadAllText(Path.Combine(folder.Path, file));
        static HashSet<string> Lines(string file) => [.. File.ReadAllLines(file)];
    }

    [GeneratedRegex(@"^   ```\n(.*?)^   ```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Commands();

    [GeneratedRegex(@"version=(\S+)")]
    private static partial Regex Version();

    [GeneratedRegex("Include=\"PoolApi\\.[^\"]*\" Version=\"([^\"]*)\"")]
    private static partial Regex References();
}
