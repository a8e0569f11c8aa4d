using PoolApi.AspNetCore.Settings;
using PoolApi.Settings;

namespace PoolApi.Tests.Service;

/// <summary>Each argument of the command line is used as a setting, run as a command, or reported as a fault.</summary>
public class CommandLineTests
{
    [Theory]
    [InlineData("--help")]
    [InlineData("--Help")]
    [InlineData("-h")]
    [InlineData("-?")]
    [InlineData("/?")]
    [InlineData("help")]
    [InlineData("--version")]
    [InlineData("-v")]
    [InlineData("version")]
    [InlineData("healthcheck", "--help")]
    [InlineData("check", "--help")]
    public async Task The_arguments_for_help_and_version_exit_with_0_and_start_no_server(params string[] args)
    {
        Assert.False(CommandLine.Serves(args));
        Assert.Equal(0, await CommandLine.RunAsync(args));
    }

    [Theory]
    [InlineData("--Pool:Workers", "4")]
    [InlineData("--Pool:Workers=4")]
    [InlineData("/Pool:Workers", "4")]
    [InlineData("Pool:Workers=4")]
    [InlineData("--pool:workers", "4", "--urls", "http://localhost:1")]
    [InlineData("--Pool:Wrokers", "4")] // the reader of the section reports it, with all other faults
    [InlineData("--Jobs:Path", "")]
    [InlineData("--Shutdown:LameDuck", "-00:00:01")]
    [InlineData("--Jobs:ConnectionString=Host=db;Password=a=b")]
    [InlineData("--Logging:LogLevel:Default", "Debug", "--Kestrel:Limits:KeepAliveTimeout", "00:01:00")]
    [InlineData("--OTEL_SERVICE_NAME", "pool", "--environment", "Development")]
    [InlineData]
    public async Task Settings_start_the_service(params string[] args)
    {
        Assert.True(CommandLine.Serves(args));
        Assert.Null(await CommandLine.RunAsync(args));
    }

    [Theory]
    [InlineData("--nonsense is not a setting.", "--nonsense", "--Urls", "http://localhost:1")]
    [InlineData("--nonsense is not a setting.", "--nonsense", "1", "--Urls", "http://localhost:1")]
    [InlineData("--nonsense is not a setting.", "--nonsense=1")]
    [InlineData("/nonsense is not a setting.", "/nonsense", "1")]
    [InlineData("--Job:Path is not a setting. Did you mean --Jobs:Path?", "--Job:Path", "x")]
    [InlineData("--Managment:Urls is not a setting. Did you mean --Management:Urls?", "--Managment:Urls=http://localhost:1")]
    [InlineData("--Workers is not a setting. Did you mean --Pool:Workers?", "--Workers", "3")]
    [InlineData("--PoolWorkers is not a setting. Did you mean --Pool:Workers?", "--PoolWorkers", "3")]
    [InlineData("--Url is not a setting. Did you mean --Urls?", "--Url", "http://localhost:1")]
    [InlineData("--Urls has no value; it is written --Urls value.", "--Urls")]
    [InlineData("--Pool:Workers has no value; it is written --Pool:Workers value.", "--Pool:Workers", "--Urls", "http://localhost:1")]
    [InlineData("-Pool:Workers is not a setting; one begins with two dashes, --Key value.", "-Pool:Workers", "3")]
    [InlineData("-x is not a setting; one begins with two dashes, --Key value.", "-x")]
    [InlineData("'4' is neither a setting nor the value of one; a setting is written --Key value.", "--Pool:Workers", "3", "4")]
    public async Task An_argument_that_is_no_valid_setting_is_reported_and_stops_the_start(string fault, params string[] args)
    {
        Assert.Equal([fault], CommandLine.ArgumentFaults(args));
        Assert.Equal(StartFaults.ExitCode, await CommandLine.RunAsync(args));
        Assert.Equal(1, await CommandLine.RunAsync(["healthcheck", .. args]));
    }

    [Fact]
    public async Task A_health_check_whose_settings_cannot_be_read_exits_with_1()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("appsettings.json"), "{", ServiceApp.Token);
        Assert.Equal(1, await CommandLine.RunAsync(["healthcheck", "--contentRoot", folder.Path]));
    }

    [Theory]
    [InlineData("Job:Path", "Job:Path is not a setting. Did you mean Jobs:Path?")]
    [InlineData("JOB:PATH", "JOB:PATH is not a setting. Did you mean Jobs:Path?")]
    [InlineData("Managment:Urls", "Managment:Urls is not a setting. Did you mean Management:Urls?")]
    [InlineData("Managment:Url", "Managment:Url is not a setting. Did you mean Management:Urls?")]
    [InlineData("Shutdwon:Drain", "Shutdwon:Drain is not a setting. Did you mean Shutdown:Drain?")]
    [InlineData("Pools:Workers", "Pools:Workers is not a setting. Did you mean Pool:Workers?")]
    [InlineData("Auht:ApiKeys:alice", "Auht:ApiKeys is not a setting. Did you mean Auth:ApiKeys?")]
    [InlineData("Pool_Workers", "Pool_Workers is not a setting. Did you mean Pool:Workers? In the environment it is written Pool__Workers.")]
    [InlineData("PoolWorkers", "PoolWorkers is not a setting. Did you mean Pool:Workers? In the environment it is written Pool__Workers.")]
    public void A_misspelt_section_is_a_fault_that_does_not_contain_its_value(string key, string fault) =>
        Assert.Equal([fault], Faults(key));

    [Theory]
    [InlineData("Auth0:Domain")] // a setting of another program
    [InlineData("Tool:Version")]
    [InlineData("JOBS_PORT")] // Kubernetes: a service named jobs
    [InlineData("POOL_PORT_8080_TCP")]
    [InlineData("POOL_NAME")]
    [InlineData("PATH")]
    [InlineData("Urls2")]
    [InlineData("Job:Owner")]
    public void Variables_of_other_programs_are_not_reported_as_misspelt_settings(string key) => Assert.Empty(Faults(key));

    [Fact]
    public void Help_lists_every_setting_with_its_default_and_what_it_may_be()
    {
        string help = SettingHelp.Text();
        string text = help.ReplaceLineEndings(" ").Replace("      ", "", StringComparison.Ordinal);
        foreach ((string key, Setting setting) in SettingCatalogue.All)
        {
            Assert.Contains($"  {key}   default: {setting.Default}\n", help, StringComparison.Ordinal);
            Assert.Contains($"allowed values: {setting.Allowed}", text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("--Pool:Workers", "4")]
    [InlineData]
    public async Task The_check_command_takes_the_settings_that_follow_it(params string[] settings)
    {
        string[] args = ["check", .. settings];
        Assert.False(CommandLine.Serves(args));
        Assert.True(CommandLine.Checks(args));
        Assert.Null(await CommandLine.RunAsync(args));
        Assert.Equal(settings, CommandLine.Settings(args));
    }

    [Fact]
    public void The_setting_catalogue_names_exactly_the_keys_that_each_section_accepts()
    {
        using var other = new ServiceApp();
        Assert.NotNull(other.Server); // from here on a failed start throws instead of ending the program
        (string, string)[] unknown = [.. SettingCatalogue.Sections.Select(static section => ($"{section.Name}:Zzz", "1"))];
        string said = StartFaults.Explain(ServiceApp.FailedStart(unknown));
        foreach (SettingSection section in SettingCatalogue.Sections)
            Assert.Contains($"the settings under {section.Name} are: {string.Join(", ", section.Keys)}.", said, StringComparison.Ordinal);
    }

    private static List<string> Faults(string key)
    {
        var faults = new List<string>();
        SettingNames.FindMisspelt(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [key] = "secret" }).Build(), faults);
        return faults;
    }
}
