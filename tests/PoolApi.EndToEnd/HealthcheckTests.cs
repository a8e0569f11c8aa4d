namespace PoolApi.EndToEnd;

/// <summary>`PoolApi healthcheck` is for images without a shell: it asks a running service and tells by its exit code.</summary>
public sealed class HealthcheckTests
{
    [Theory, ClassData(typeof(BothForms))]
    public async Task It_ends_with_0_beside_a_healthy_service(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form);

        var run = await PoolApiProcess.RunToEndAsync(form, "healthcheck", $"--Management:Urls {service.Management.Url}");

        Assert.True(run.ExitCode == 0, run.Text);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task It_ends_with_1_where_nothing_answers(ServiceForm form)
    {
        var run = await PoolApiProcess.RunToEndAsync(form, "healthcheck", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}");

        Assert.True(run.ExitCode == 1, $"{run.ExitCode}: {run.Text}");
        Assert.DoesNotContain(run.Lines, line => line.TrimStart().StartsWith("at ", StringComparison.Ordinal));
    }
}
