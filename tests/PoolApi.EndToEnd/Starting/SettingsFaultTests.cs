using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Starting;

/// <summary>A wrong setting stops the start with exit code 78 and a message that explains the valid values.</summary>
public sealed partial class SettingsFaultTests
{
    private const int CouldNotStart = 78;

    [Theory, ClassData(typeof(BothForms))]
    public async Task The_start_reports_all_invalid_settings_together_each_with_key_value_and_explanation(ServiceForm form)
    {
        var run = await StartAsync(form, "--Pool:Workers 0", "--Pool:QueueCapacity many", "--Pool:Wrokers 3", "--Shutdown:Drian 5");

        Assert.Equal(CouldNotStart, run.ExitCode);
        MustReport(run, "Pool:Workers", "0");
        MustReport(run, "Pool:QueueCapacity", "many");
        MustReport(run, "Pool:Wrokers", "3");
        MustReport(run, "Shutdown:Drian", "5");
        MustHoldNoStackTrace(run);
    }

    [Theory]
    [InlineData("Pool:Workers", "-3")]
    [InlineData("Pool:Workers", "two")]
    [InlineData("Pool:QueueCapacity", "0")]
    [InlineData("Pool:QueueCapacity", "-1")]
    [InlineData("Pool:MaxQueueTime", "soon")]
    [InlineData("Pool:MaxQueueTime", "-00:00:01")]
    [InlineData("Pool:MaxBodyBytes", "-1")]
    [InlineData("Pool:QueueBytes", "lots")]
    [InlineData("Pool:StuckAfter", "00:00:00")]
    [InlineData("Shutdown:Drain", "-00:00:01")]
    [InlineData("Shutdown:Cancel", "never")]
    [InlineData("Shutdown:MaxRequests", "-2")]
    [InlineData("Shutdown:LameDuck", "x")]
    [InlineData("Management:Ulrs", "http://127.0.0.1:1")]
    [InlineData("Workloads:Diagnostics", "maybe")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]
    [InlineData("Kestrel:EndpointDefaults:Protocols", "Http3")]
    [InlineData("Logging:LogLevel:Default", "Loud")]
    [InlineData("Logging:Console:LogLevel:PoolApi", "Loud")]
    [InlineData("Logging:Console:FormatterName", "xml")]
    [InlineData("Logging:Console:FormatterOptions:UseUtcTimestamp", "maybe")]
    [InlineData("Logging:Console:LogToStandardErrorThreshold", "Loud")]
    [InlineData("Logging:Console:MaxQueueLength", "-1")]
    public async Task An_invalid_setting_stops_the_start_and_is_reported_with_key_and_value(string key, string value)
    {
        var run = await StartAsync(ServiceForm.Any, $"--{key} {value}");

        Assert.Equal(CouldNotStart, run.ExitCode);
        MustReport(run, key, value);
        MustHoldNoStackTrace(run);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_port_in_use_stops_the_start(ServiceForm form)
    {
        using var taken = new TcpListener(IPAddress.Loopback, FreePorts.Next());
        taken.Start();
        string port = ((IPEndPoint)taken.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);

        var run = await PoolApiProcess.RunToEndAsync(
            form, $"--Urls http://127.0.0.1:{port}", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}");

        Assert.Equal(CouldNotStart, run.ExitCode);
        Assert.Contains(port, run.Text, StringComparison.Ordinal);
        Assert.Matches("(?i)in use", run.Text);
        MustHoldNoStackTrace(run);
    }

    private static Task<ProgramRun> StartAsync(ServiceForm form, params string[] settings) => PoolApiProcess.RunToEndAsync(
        form, [$"--Urls http://127.0.0.1:{FreePorts.Next()}", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}", .. settings]);

    private static void MustReport(ProgramRun run, string key, string value)
    {
        // Each fault has a line with the key, the value as it was written, and at least three words on the valid values.
        var lines = run.Lines.Where(line => Regex.IsMatch(line, $@"(?<![\w:]){Regex.Escape(key)}(?![\w:])")
            && Regex.IsMatch(line, $@"(?<![\w.]){Regex.Escape(value)}(?![\w])")).ToArray();
        Assert.True(lines.Length > 0, $"no line reports {key} = {value}:\n{run.Text}");
        Assert.Contains(lines, line => Word().Count(line) >= Word().Count(key) + Word().Count(value) + 3);
    }

    private static void MustHoldNoStackTrace(ProgramRun run)
    {
        Assert.DoesNotContain(run.Lines, line => line.TrimStart().StartsWith("at ", StringComparison.Ordinal));
        Assert.DoesNotMatch("Unhandled exception|System\\.[A-Za-z.]*Exception", run.Text);
    }

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();
}
