using System.Text.RegularExpressions;
using YamlDotNet.Serialization;
using Section = System.Collections.Generic.Dictionary<object, object>;

namespace PoolApi.Deploy.Tests;

/// <summary>docker-compose.yml, read as YAML: the files, volumes, ports and settings that it names exist.</summary>
public sealed partial class ComposeTests
{
    private static readonly Section Compose = new DeserializerBuilder().Build().Deserialize<Section>(Read("docker-compose.yml"));
    private static readonly Dictionary<string, Section> Services =
        ((Section)Compose["services"]).ToDictionary(static service => (string)service.Key, static service => (Section)service.Value);

    private static IEnumerable<Section> Instances => Services.Values.Where(static service => (string)service["image"] == "poolapi:local");

    [Fact]
    public void Compose_has_one_monitored_instance_by_default_and_three_in_the_scale_out_profile()
    {
        Assert.Equal(["grafana", "poolapi", "prometheus"], Of());
        Assert.Equal(["caddy", "poolapi-1", "poolapi-2", "poolapi-3", "postgres"], Of("scale-out"));
        string[] all = [.. Services.Values.SelectMany(static service => Texts(service, "depends_on"))];
        Assert.NotEmpty(all);
        Assert.All(all, static needed => Assert.Contains(needed, Services.Keys));

        static IEnumerable<string> Of(params string[] profiles) =>
            Services.Where(service => Texts(service.Value, "profiles").SequenceEqual(profiles))
                .Select(static service => service.Key).Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Every_mount_is_a_repository_file_or_a_volume_and_the_jobs_volume_matches_the_image()
    {
        var volumes = (Section)Compose["volumes"];
        string[][] mounts = [.. Services.Values.SelectMany(static service => Texts(service, "volumes")).Select(static mount => mount.Split(':'))];
        Assert.All(mounts, mount => Assert.True(volumes.ContainsKey(mount[0]) || IsFile(mount[0]), mount[0]));
        Assert.Empty(volumes.Keys.Except(mounts.Select(static mount => (object)mount[0])));
        Assert.Equal([$"jobs:{Volume().Match(Read("Dockerfile")).Groups[1].Value}"], Texts(Services["poolapi"], "volumes"));

        static bool IsFile(string path) => path.StartsWith("./", StringComparison.Ordinal) && Path.Exists(Path.Combine(Repository.Root, path));
    }

    [Fact]
    public void Every_variable_of_the_service_is_a_setting()
    {
        string settings = Read("docs/settings.md");
        object[] names = [.. Instances.SelectMany(static service => ((Section)service["environment"]).Keys)];
        Assert.NotEmpty(names);
        Assert.All(
            names, name => Assert.Contains($"\n| `{((string)name).Replace("__", ":", StringComparison.Ordinal)}` |", settings, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_port_is_bound_to_the_loopback_and_the_image_exposes_those_of_the_service()
    {
        Assert.All(
            Services.Values.SelectMany(static service => Texts(service, "ports")),
            static port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));
        Assert.Equal(
            Exposed().Match(Read("Dockerfile")).Groups.Values.Skip(1).Select(static port => port.Value),
            Texts(Services["poolapi"], "ports").Select(static port => port.Split(':')[^1]));
    }

    [Fact]
    public void Every_instance_has_a_read_only_root_no_capabilities_and_no_new_privileges()
    {
        Assert.Equal(4, Instances.Count());
        Assert.All(Instances, static service =>
        {
            Assert.Equal("true", service["read_only"]);
            Assert.Equal(["ALL"], Texts(service, "cap_drop"));
            Assert.Equal(["no-new-privileges:true"], Texts(service, "security_opt"));
        });
    }

    private static IEnumerable<string> Texts(Section section, string key) =>
        section.TryGetValue(key, out object? texts) ? ((List<object>)texts).Cast<string>() : [];

    private static string Read(string file) => File.ReadAllText(Path.Combine(Repository.Root, file));

    [GeneratedRegex(@"^EXPOSE (\d+) (\d+)$", RegexOptions.Multiline)]
    private static partial Regex Exposed();

    [GeneratedRegex(@"^VOLUME (\S+)$", RegexOptions.Multiline)]
    private static partial Regex Volume();
}
