using System.Diagnostics;

namespace PoolApi.Deploy.Tests;

/// <summary>The checks of the images may be skipped only outside CI.</summary>
public sealed class ContainerTests
{
    [Theory]
    [InlineData("container", "true", "not ok there is a container engine", 1)]
    [InlineData("container", "", "skip the container", 0)]
    [InlineData("template-container", "true", "not ok there is a container engine", 1)]
    [InlineData("template-container", "", "skip the container", 0)]
    public async Task Without_a_container_engine_the_checks_of_an_image_fail_in_CI_and_are_left_out_elsewhere(string script, string ci, string said, int exitCode)
    {
        using var folder = new TemporaryFolder();
        string copy = folder.File("clone"); // without the stand-in of the engine beside it
        Directory.CreateDirectory(Path.Combine(copy, ".ci"));
        foreach (string file in (string[])[script, "engine.sh"])
            File.Copy(Path.Combine(Repository.Root, ".ci", file), Path.Combine(copy, ".ci", file));
        var start = new ProcessStartInfo("bash", [$".ci/{script}"]) { WorkingDirectory = copy, Environment = { ["CI"] = ci, ["CONTAINERS"] = "false" } };
        ProgramRun run = await ProgramRun.ToEndAsync(start, Patience.Long);
        Assert.StartsWith(said, Assert.Single(run.Lines), StringComparison.Ordinal);
        Assert.Equal(exitCode, run.ExitCode);
    }
}
