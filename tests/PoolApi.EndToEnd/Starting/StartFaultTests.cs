using System.Net;
using System.Net.Sockets;

namespace PoolApi.EndToEnd.Starting;

/// <summary>A failed start names the address or the setting at fault. <c>check</c> and <c>--version</c> answer without a start.</summary>
public sealed class StartFaultTests
{
    [Fact]
    public async Task An_address_that_is_not_of_this_machine_is_named_with_its_setting()
    {
        // No machine has this address (RFC 5737).
        var run = await PoolApiProcess.RunToEndAsync(
            ServiceForm.Any, $"--Urls http://127.0.0.1:{FreePorts.Next()}", "--Management:Urls http://192.0.2.7:8081");

        Assert.Equal(78, run.ExitCode);
        Assert.Contains("Management:Urls: 192.0.2.7:8081 is not an address of this machine", run.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    [InlineData("*")]
    public async Task A_port_in_use_is_named_with_its_setting(string host)
    {
        using var taken = new TcpListener(IPAddress.Loopback, FreePorts.Next());
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;

        var run = await PoolApiProcess.RunToEndAsync(
            ServiceForm.Any, $"--Urls http://{host}:{port}", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}");

        Assert.Equal(78, run.ExitCode);
        Assert.Matches($@"PoolApi cannot start: Urls: \S+:{port} is already in use", run.Text);
    }

    [Theory]
    [InlineData("ASPNETCORE_URLS", "http://127.0.0.1:")]
    [InlineData("DOTNET_URLS", "http://127.0.0.1:")]
    [InlineData("ASPNETCORE_HTTP_PORTS", "")]
    [InlineData("DOTNET_HTTP_PORTS", "")]
    public async Task The_API_listens_on_the_port_in_the_variables_of_ASP_NET_Core(string variable, string before)
    {
        // The port is in use, so the message of the failed start names the address on which the service would listen.
        using var taken = new TcpListener(IPAddress.Loopback, FreePorts.Next());
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        using var folder = new TemporaryFolder();
        var start = await ServiceCommand.CreateAsync(
            ServiceForm.Any, folder.Path, [$"--Management:Urls http://127.0.0.1:{FreePorts.Next()}", "--Jobs:Store none"],
            new Dictionary<string, string> { [variable] = $"{before}{port}" });

        var run = await ProgramRun.ToEndAsync(start, Patience.Long);

        Assert.Equal(78, run.ExitCode);
        Assert.Matches($@"PoolApi cannot start: Urls: \S+:{port} is already in use", run.Text);
    }

    [Fact]
    public async Task A_port_that_is_not_permitted_is_named_with_its_setting()
    {
        string port = (await File.ReadAllTextAsync("/proc/sys/net/ipv4/ip_unprivileged_port_start", TestContext.Current.CancellationToken)).Trim();
        if (port == "0") Assert.Skip("Every port is permitted on this machine.");
        // Root may bind any port, unless the capability is dropped.
        string[] wrapper = Environment.IsPrivilegedProcess ? ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"] : [];
        if (wrapper.Length > 0 && Tool.Find(wrapper[0]) is null) Tool.Missing("setpriv, to drop a capability,", "apt-get install util-linux");
        using var folder = new TemporaryFolder();
        var start = await ServiceCommand.CreateAsync(
            ServiceForm.Any, folder.Path, ["--Urls http://127.0.0.1:81", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}"], null, wrapper);

        var run = await ProgramRun.ToEndAsync(start, Patience.Long);

        Assert.Equal(78, run.ExitCode);
        Assert.Contains("Urls: 127.0.0.1:81 is not permitted", run.Text, StringComparison.Ordinal);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task Check_validates_the_settings_like_a_start_without_opening_a_port_or_creating_a_file(ServiceForm form)
    {
        using var taken = new TcpListener(IPAddress.Loopback, FreePorts.Next());
        taken.Start();
        using var folder = new TemporaryFolder();
        string store = folder.File("store");
        string[] settings =
        [
            "check", $"--Urls http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}", $"--Jobs:Path {store}/jobs.db",
            $"--Dashboard:SnapshotDirectory {store}/snapshots",
        ];

        var valid = await PoolApiProcess.RunToEndAsync(form, settings);
        var wrong = await PoolApiProcess.RunToEndAsync(form, [.. settings, "--Pool:Workers 0", "--Shutdown:Drain soon"]);

        Assert.Equal((0, "The settings are valid."), (valid.ExitCode, valid.Text.Trim()));
        Assert.Equal(78, wrong.ExitCode);
        Assert.Contains("PoolApi cannot start, for 2 reasons:", wrong.Text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(store));
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task The_version_option_prints_the_version_and_the_commit(ServiceForm form)
    {
        var run = await PoolApiProcess.RunToEndAsync(form, "--version");

        Assert.Equal(0, run.ExitCode);
        // A source without .git, as in an archive, has no commit.
        string optional = Path.Exists(Path.Combine(Repository.Root, ".git")) ? "" : "?";
        Assert.Matches($@"^PoolApi \d+\.\d+\.\d+\S*(, commit [0-9a-f]{{7,40}}){optional}$", run.Text.Trim());
    }

    [Fact]
    public async Task A_section_that_is_misspelt_in_the_environment_stops_the_start()
    {
        using var folder = new TemporaryFolder();
        var start = await ServiceCommand.CreateAsync(
            ServiceForm.Any, folder.Path, [$"--Urls http://127.0.0.1:{FreePorts.Next()}"],
            new Dictionary<string, string> { ["Job__Path"] = "/nowhere/jobs.db" });

        var run = await ProgramRun.ToEndAsync(start, Patience.Long);

        Assert.Equal(78, run.ExitCode);
        Assert.Contains("Job:Path is not a setting. Did you mean Jobs:Path?", run.Text, StringComparison.Ordinal);
    }
}
