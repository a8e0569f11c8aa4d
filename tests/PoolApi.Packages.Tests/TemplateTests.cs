using System.Text.RegularExpressions;

namespace PoolApi.Packages.Tests;

/// <summary>A service made from the template poolapi-service builds, passes its own tests, starts and stops.</summary>
public sealed partial class TemplateTests(LocalFeed feed)
{
    [Theory]
    [InlineData("Thumbs")]
    [InlineData("my-service")] // not a valid C# identifier
    public async Task A_service_made_from_the_template_builds_passes_its_tests_answers_and_stops(string name)
    {
        Package templates = Assert.Single(feed.Packages, static package => package.Id == "PoolApi.Templates");
        string hive = Path.Combine(feed.Workspace, $"hive-{name}");
        string page = Path.Combine(Repository.Root, "templates", "PoolApi.Templates", "README.md");
        Match commands = Commands().Match(await File.ReadAllTextAsync(page, Patience.Token));
        Assert.Equal("PoolApi.Templates", commands.Groups[2].Value);
        await ProgramRun.ApartAsync(feed.Workspace, "bash", "-c", $"{commands.Groups[1].Value} '{templates.File}' --debug:custom-hive '{hive}'");
        await ProgramRun.ApartAsync(feed.Workspace, "bash", "-c", $"{commands.Groups[3].Value} {name} --debug:custom-hive '{hive}'");
        string folder = Path.Combine(feed.Workspace, name);
        Assert.All((string[])["Dockerfile", "compose.yaml", ".github/workflows/ci.yml", ".dockerignore", ".gitignore"], file => Assert.True(File.Exists(Path.Combine(folder, file)), file));
        Assert.DoesNotContain(
            Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories),
            static file => TemplatesName().IsMatch(file) || TemplatesName().IsMatch(File.ReadAllText(file)));
        foreach (string file in (string[])["Dockerfile", "README.md"])
        {
            string text = await File.ReadAllTextAsync(Path.Combine(folder, file), Patience.Token);
            MatchCollection paths = Source().Matches(text);
            Assert.NotEmpty(paths);
            Assert.All(paths, path => Assert.True(Path.Exists(Path.Combine(folder, path.Value)), path.Value));
        }

        // With the analyzers, as in the first build of a user of the template.
        await ProgramRun.ApartAsync(folder, "dotnet", "build", $"{name}.slnx", "-c", "Release", "-v:q", "-nologo", "-warnaserror", "-p:RunAnalyzersDuringBuild=true");
        string readme = await File.ReadAllTextAsync(Path.Combine(folder, "README.md"), Patience.Token);
        Assert.Contains("`dotnet test`", readme, StringComparison.Ordinal);
        string tests = await ProgramRun.ApartAsync(folder, "dotnet", "test", "-c", "Release", "--no-build");
        Assert.Contains("succeeded: 2", tests, StringComparison.Ordinal);

        string service = Path.Combine(folder, "src", name);
        await using RunningApp app = await RunningApp.ListenAsync(service, "dotnet", Path.Combine(service, "bin", "Release", "net10.0", $"{name}.dll"));
        Assert.Equal(64, (await app.GetAsync("/work/10")).Length);
        Assert.Equal(64, (await app.GetAsync(Call().Match(readme).Groups[1].Value)).Length);
        await app.GetAsync("/readyz");
        await app.StopAsync();
    }

    [Fact]
    public void The_template_names_the_version_that_is_packed()
    {
        string project = Path.Combine(Repository.Root, "templates", "PoolApi.Templates", "content", "poolapi-service", "src", "Pool-Service", "Pool-Service.csproj");
        Assert.Contains($"Include=\"PoolApi.AspNetCore\" Version=\"{Packable.Version}\"", File.ReadAllText(project), StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^```\n(dotnet new install) (\S+)\n(dotnet new poolapi-service --output) \S+\n```", RegexOptions.Multiline)]
    private static partial Regex Commands();

    [GeneratedRegex(@"`curl http://localhost:8080(/[^`]+)`")]
    private static partial Regex Call();

    [GeneratedRegex("Pool[-_]?Service")]
    private static partial Regex TemplatesName();

    [GeneratedRegex(@"\bsrc/[\w./-]*\w")]
    private static partial Regex Source();
}
