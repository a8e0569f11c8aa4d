using System.Text.RegularExpressions;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace PoolApi.Deploy.Tests;

/// <summary>The resource of an Aspire application matches the image and the settings of the service. The samples' tests run it as a program.</summary>
public sealed partial class AspireTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly IDistributedApplicationBuilder _app;

    public AspireTests() => _app = DistributedApplication.CreateBuilder(new DistributedApplicationOptions
    {
        DisableDashboard = true,
        ProjectDirectory = Directory.CreateDirectory(_folder.File("AppHost")).FullName,
    });

    private static string Dockerfile { get; } = File.ReadAllText(Path.Combine(Repository.Root, "Dockerfile"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_README_s_app_host_gives_a_project_the_addresses_of_the_service()
    {
        IDistributedApplicationBuilder builder = _app;
        string project = Path.GetFullPath("../Shop/Shop.csproj", builder.AppHostDirectory);
        Directory.CreateDirectory(Path.GetDirectoryName(project)!);
        await File.WriteAllTextAsync(project, "<Project Sdk=\"Microsoft.NET.Sdk.Web\" />", TestContext.Current.CancellationToken);

        var jobs = builder.AddConnectionString("jobs");
        var pool = builder.AddPoolApi("pool").WithJobDatabase(jobs).WithEnvironment("Pool__Workers", "8");
        builder.AddProject("shop", "../Shop/Shop.csproj").WithReference(pool).WaitFor(pool);

        string readme = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "src", "PoolApi.Aspire.Hosting", "README.md"), TestContext.Current.CancellationToken);
        string here = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "tests", "PoolApi.Deploy.Tests", "AspireTests.cs"), TestContext.Current.CancellationToken);
        string[] lines = Code().Match(readme).Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.NotEmpty(lines);
        Assert.All(lines, line => Assert.Contains($"        {line}\n", here, StringComparison.Ordinal));
        Assert.Equal("8", (await SettingsAsync(pool.Resource))["Pool__Workers"]);
        ProjectResource shop = Assert.Single(builder.Resources.OfType<ProjectResource>());
        Assert.Contains(shop.Annotations.OfType<WaitAnnotation>(), wait => wait.Resource == pool.Resource);
        Assert.Subset((await SettingsAsync(shop)).Keys.ToHashSet(), new HashSet<string> { "services__pool__http__0", "services__pool__management__0" });
    }

    [Fact]
    public void A_container_has_the_image_of_this_version_and_the_ports_that_the_image_exposes()
    {
        PoolApiContainerResource pool = _app.AddPoolApi("pool").Resource;

        ContainerImageAnnotation image = Assert.Single(pool.Annotations.OfType<ContainerImageAnnotation>());
        string version = Regex.Match(File.ReadAllText(Path.Combine(Repository.Root, "Directory.Build.props")), "<VersionPrefix>(.*)</VersionPrefix>").Groups[1].Value;
        Assert.Equal(("poolapi", version), (image.Image, image.Tag));
        Assert.Equal(
            Exposed().Match(Dockerfile).Groups.Values.Skip(1).Select(static port => port.Value),
            Endpoints(pool).Select(static endpoint => $"{endpoint.TargetPort}"));
        Assert.Equal(["http", "management"], Endpoints(pool).Select(static endpoint => endpoint.Name));
    }

    [Fact]
    public void A_data_volume_is_where_the_image_keeps_its_jobs()
    {
        PoolApiContainerResource pool = _app.AddPoolApi("pool").WithDataVolume("thumbs").Resource;

        ContainerMountAnnotation volume = Assert.Single(pool.Annotations.OfType<ContainerMountAnnotation>());
        Assert.Equal(("thumbs", Volume().Match(Dockerfile).Groups[1].Value), (volume.Source, volume.Target));
    }

    [Fact]
    public async Task Jobs_are_kept_in_the_database_that_is_named()
    {
        IResourceBuilder<IResourceWithConnectionString> jobs = _app.AddConnectionString("jobs");
        Dictionary<string, object> settings = await SettingsAsync(_app.AddPoolApi("pool").WithJobDatabase(jobs).Resource);

        Assert.Equal("postgres", settings["Jobs__Store"]);
        Assert.Equal("{jobs.connectionString}", Assert.IsType<ReferenceExpression>(settings["Jobs__ConnectionString"]).ValueExpression);
    }

    [Fact]
    public async Task A_program_starts_in_its_folder_and_listens_on_the_loopback_interface()
    {
        PoolApiProgramResource pool = _app.AddPoolApi("pool", "/opt/poolapi/PoolApi").Resource;

        Assert.Equal(("/opt/poolapi/PoolApi", "/opt/poolapi"), (pool.Command, pool.WorkingDirectory));
        Dictionary<string, object> settings = await SettingsAsync(pool);
        foreach (string setting in (string[])["Urls", "Management__Urls"])
            Assert.StartsWith("http://127.0.0.1:", Assert.IsType<ReferenceExpression>(settings[setting]).ValueExpression, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Container_and_program_are_checked_for_readiness_and_accept_the_host_names_of_containers()
    {
        foreach (IPoolApiResource pool in (IPoolApiResource[])[_app.AddPoolApi("image").Resource, _app.AddPoolApi("program", "/opt/poolapi/PoolApi").Resource])
        {
            Assert.StartsWith($"{pool.Name}_management_/readyz_", Assert.Single(pool.Annotations.OfType<HealthCheckAnnotation>()).Key, StringComparison.Ordinal);
            Assert.Equal($"{pool.Name};{pool.Name}.dev.internal;aspire.dev.internal", (await SettingsAsync(pool))["Management__AllowedHosts"]);
        }
    }

    /// <summary>Without keys, the service accepts changes only from its own machine. A container counts as another machine.</summary>
    [Fact]
    public void A_program_has_a_command_that_drains_it_and_a_container_has_none()
    {
        Assert.Contains(_app.AddPoolApi("program", "/opt/poolapi/PoolApi").Resource.Annotations.OfType<ResourceCommandAnnotation>(), static command => command.Name == "drain");
        Assert.DoesNotContain(_app.AddPoolApi("image").Resource.Annotations.OfType<ResourceCommandAnnotation>(), static command => command.Name == "drain");
    }

    [Fact]
    public void A_name_or_a_program_that_is_empty_is_refused()
    {
        Assert.Equal("name", Assert.Throws<ArgumentException>(() => _app.AddPoolApi("")).ParamName);
        Assert.Equal("program", Assert.Throws<ArgumentException>(() => _app.AddPoolApi("pool", "")).ParamName);
    }

    private static IEnumerable<EndpointAnnotation> Endpoints(PoolApiContainerResource pool) => pool.Annotations.OfType<EndpointAnnotation>();

    private async Task<Dictionary<string, object>> SettingsAsync<T>(T resource)
        where T : IResource
    {
        var context = new EnvironmentCallbackContext(_app.ExecutionContext, resource);
        foreach (EnvironmentCallbackAnnotation annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>()) await annotation.Callback(context);
        return context.EnvironmentVariables;
    }

    [GeneratedRegex("^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Code();

    [GeneratedRegex(@"^EXPOSE (\d+) (\d+)$", RegexOptions.Multiline)]
    private static partial Regex Exposed();

    [GeneratedRegex(@"^VOLUME (\S+)$", RegexOptions.Multiline)]
    private static partial Regex Volume();
}
