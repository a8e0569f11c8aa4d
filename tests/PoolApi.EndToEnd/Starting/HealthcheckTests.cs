namespace PoolApi.EndToEnd.Starting;

/// <summary>`PoolApi healthcheck` is for images without a shell: it asks a running service for its health and reports it by the exit code.</summary>
public sealed class HealthcheckTests
{
    [Theory, ClassData(typeof(BothForms))]
    public async Task Healthcheck_exits_with_0_when_the_service_is_healthy(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form);

        var run = await PatientlyAsync(() => PoolApiProcess.RunToEndAsync(form, "healthcheck", $"--Management:Urls {service.Management.Url}"));

        Assert.True(run.ExitCode == 0, run.Text);
    }

    [Theory]
    [InlineData("Management__Urls")]
    [InlineData("ASPNETCORE_Management__Urls")]
    [InlineData("DOTNET_Management__Urls")]
    public async Task Healthcheck_finds_the_service_by_the_environment_variables_that_the_service_reads(string variable)
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any);
        var environment = new Dictionary<string, string> { [variable] = service.Management.Url };

        var run = await PatientlyAsync(async () => await ProgramRun.ToEndAsync(
            await ServiceCommand.CreateAsync(ServiceForm.Any, "/", ["healthcheck"], environment), Patience.Long));

        Assert.True(run.ExitCode == 0, run.Text);
    }

    /// <summary>Runs the command. It waits five seconds for the answer. On a busy machine that may be too short, so it runs again.</summary>
    private static async Task<ProgramRun> PatientlyAsync(Func<Task<ProgramRun>> runAsync)
    {
        ProgramRun? run = null;
        await MachineLoad.TryAgainAsync(
            async () => !(run = await runAsync()).Text.Contains("does not answer within", StringComparison.Ordinal), "the service does not answer");
        return run!;
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task Healthcheck_exits_with_1_when_no_service_answers(ServiceForm form)
    {
        var run = await PoolApiProcess.RunToEndAsync(form, "healthcheck", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}");

        Assert.True(run.ExitCode == 1, $"{run.ExitCode}: {run.Text}");
        Assert.DoesNotContain(run.Lines, line => line.TrimStart().StartsWith("at ", StringComparison.Ordinal));
    }
}
