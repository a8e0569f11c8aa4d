namespace PoolApi.Packages.Tests;

/// <summary>The template poolapi-service: what it makes builds, passes its own tests, starts and stops.</summary>
public sealed class TemplateTests(LocalFeed feed)
{
    [Fact]
    public async Task What_the_template_makes_builds_passes_its_tests_serves_and_stops()
    {
        Package templates = Assert.Single(feed.Packages, static package => package.Id == "PoolApi.Templates");
        string hive = Path.Combine(feed.Workspace, "hive");
        await ProgramRun.ApartAsync(feed.Workspace, "dotnet", "new", "install", templates.File, "--debug:custom-hive", hive);
        await ProgramRun.ApartAsync(feed.Workspace, "dotnet", "new", "poolapi-service", "--output", "Thumbs", "--debug:custom-hive", hive);
        string folder = Path.Combine(feed.Workspace, "Thumbs");
        Assert.All((string[])["Dockerfile", "compose.yaml", ".github/workflows/ci.yml", ".dockerignore", ".gitignore"], file => Assert.True(File.Exists(Path.Combine(folder, file)), file));
        Assert.DoesNotContain(
            Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories), static file => File.ReadAllText(file).Contains("PoolService", StringComparison.Ordinal));

        // With the analyzers, as in the first build of somebody who uses the template.
        await ProgramRun.ApartAsync(folder, "dotnet", "build", "Thumbs.slnx", "-c", "Release", "-v:q", "-nologo", "-warnaserror", "-p:RunAnalyzersDuringBuild=true");
        string tests = await ProgramRun.ApartAsync(folder, "dotnet", "test", "-c", "Release", "--no-build");
        Assert.Contains("succeeded: 2", tests, StringComparison.Ordinal);

        string service = Path.Combine(folder, "src", "Thumbs");
        await using RunningApp app = await RunningApp.ListenAsync(service, "dotnet", Path.Combine(service, "bin", "Release", "net10.0", "Thumbs.dll"));
        Assert.Equal(64, (await app.GetAsync("/work/10")).Length);
        await app.GetAsync("/readyz");
        await app.StopAsync();
    }

    [Fact]
    public void The_template_names_the_version_that_is_packed()
    {
        string project = Path.Combine(Repository.Root, "templates", "PoolApi.Templates", "content", "poolapi-service", "src", "PoolService", "PoolService.csproj");
        Assert.Contains($"Include=\"PoolApi.AspNetCore\" Version=\"{Packable.Version}\"", File.ReadAllText(project), StringComparison.Ordinal);
    }
}
