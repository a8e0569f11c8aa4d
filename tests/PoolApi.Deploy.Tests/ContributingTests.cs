using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PoolApi.Deploy.Tests;

/// <summary>The commands of CONTRIBUTING.md select the tests that it names. The selection is only listed, since every full run has these tests.</summary>
public sealed partial class ContributingTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Root, "CONTRIBUTING.md"));

    [Fact]
    public async Task The_inner_loop_runs_the_tests_that_it_names()
    {
        Match command = InnerLoop().Match(Page);
        string program = command.Groups[2].Value.Replace("/Release/", $"/{Repository.Configuration}/", StringComparison.Ordinal);
        Tool.RequireFile(Path.Combine(Repository.Root, program), command.Groups[1].Value);
        var start = new ProcessStartInfo("bash", ["-c", $"{program} {command.Groups[3].Value} -list classes/json"]) { WorkingDirectory = Repository.Root };
        string[] chosen = JsonSerializer.Deserialize<string[]>((await ProgramRun.ToEndAsync(start, Patience.Long)).MustSucceed().Text)!;
        Assert.Contains("PoolApi.Threading.Tests.Stopping.StopTests", chosen);
        Assert.All(chosen, static chosen => Assert.EndsWith("StopTests", chosen, StringComparison.Ordinal));
    }

    [Fact]
    public void The_unit_test_command_has_the_right_project_count_and_excludes_an_existing_trait()
    {
        Match command = UnitTests().Match(Page);
        using JsonDocument filter = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, command.Groups[1].Value)));
        JsonElement solution = filter.RootElement.GetProperty("solution");
        string all = File.ReadAllText(Path.Combine(Repository.Root, solution.GetProperty("path").GetString()!));
        string[] projects = [.. solution.GetProperty("projects").EnumerateArray().Select(static project => project.GetString()!)];
        Assert.Equal($"{projects.Length}", command.Groups[4].Value);
        Assert.All(projects, project => Assert.Contains($"\"{project}\"", all, StringComparison.Ordinal));
        string trait = $"[Trait(\"{command.Groups[2].Value}\", \"{command.Groups[3].Value}\")]";
        Assert.Contains(
            projects.Select(static project => Path.GetDirectoryName(Path.Combine(Repository.Root, project.Replace('\\', '/')))!)
                .SelectMany(static folder => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)),
            file => File.ReadAllText(file).Contains(trait, StringComparison.Ordinal));
    }

    [GeneratedRegex("^(dotnet build .*)\n(tests/\\S+) (-class .*)$", RegexOptions.Multiline)]
    private static partial Regex InnerLoop();

    [GeneratedRegex(@"^dotnet test --solution (\S+) -c Release --filter-not-trait (\w+)=(\w+) --max-parallel-test-modules (\d+)$", RegexOptions.Multiline)]
    private static partial Regex UnitTests();
}
