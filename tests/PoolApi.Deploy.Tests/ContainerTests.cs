using System.Diagnostics;

namespace PoolApi.Deploy.Tests;

/// <summary>.ci/container may skip the checks of the image only outside CI.</summary>
public sealed class ContainerTests
{
    [Theory]
    [InlineData("true", "not ok there is a container engine", 1)]
    [InlineData("", "skip the container", 0)]
    public async Task Without_a_container_engine_the_checks_of_the_image_fail_in_CI_and_are_left_out_elsewhere(string ci, string said, int exitCode)
    {
        using var folder = new TemporaryFolder();
        string copy = folder.File("clone"); // without the stand-in of the engine beside it
        Directory.CreateDirectory(Path.Combine(copy, ".ci"));
        File.Copy(Path.Combine(Repository.Root, ".ci", "container"), Path.Combine(copy, ".ci", "container"));
        var start = new ProcessStartInfo("bash", [".ci/container"]) { WorkingDirectory = copy, Environment = { ["CI"] = ci, ["CONTAINERS"] = "false" } };
        ProgramRun run = await ProgramRun.ToEndAsync(start, Patience.Long);
        Assert.StartsWith(said, Assert.Single(run.Lines), StringComparison.Ordinal);
        Assert.Equal(exitCode, run.ExitCode);
    }
}
