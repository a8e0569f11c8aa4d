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
        const string NextVersion = "98.7.6"; // in place of the one on the page, which may be the current one
        string shown = Assert.Single(Version().Matches(page)).Value;
        Assert.Contains(shown, commands[0], StringComparison.Ordinal);
        foreach (string command in commands)
        {
            var shell = new ProcessStartInfo("bash", ["-e", "-c", command.Replace(shown, $"version={NextVersion}", StringComparison.Ordinal)]) { WorkingDirectory = folder.Path };
            (await ProgramRun.ToEndAsync(shell, Patience.Long)).MustSucceed();
        }

        Assert.Contains($"<VersionPrefix>{NextVersion}</VersionPrefix>", Read("Directory.Build.props"), StringComparison.Ordinal);
        Assert.Contains($"newTag: {NextVersion}\n", Read("deploy/kubernetes/base/kustomization.yaml"), StringComparison.Ordinal);
        Assert.DoesNotContain("Removed", Read("src/PoolApi.Threading/PublicAPI.Shipped.txt"), StringComparison.OrdinalIgnoreCase);
        string[] users = [.. files.Where(file => !file.StartsWith("src/", StringComparison.Ordinal) && Read(file).Contains("Include=\"PoolApi.", StringComparison.Ordinal))];
        Assert.True(users.Length > 5);
        Assert.All(users, file =>
        {
            MatchCollection references = References().Matches(Read(file));
            Assert.NotEmpty(references);
            Assert.All(references, match => Assert.Equal(NextVersion, match.Groups[1].Value));
        });
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
