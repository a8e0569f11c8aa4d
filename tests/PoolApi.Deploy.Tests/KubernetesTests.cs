using System.Diagnostics;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using YamlDotNet.Core;

namespace PoolApi.Deploy.Tests;

/// <summary>deploy/kubernetes: the manifests as a cluster would get them, and that they fit together.</summary>
public sealed class KubernetesTests
{
    private static readonly string[] Both = ["base", "postgres"];

    public static TheoryData<string> Folders => [.. Both];

    [Fact]
    public async Task The_base_recreates_its_single_pod_and_keeps_the_jobs_on_a_volume()
    {
        Manifests manifests = await Manifests.BuildAsync("base");
        Assert.Equal((1, "Recreate"), (manifests.Deployment.Spec.Replicas, manifests.Deployment.Spec.Strategy.Type));
        V1Volume volume = Assert.Single(manifests.Pod.Volumes);
        V1VolumeMount mount = Assert.Single(manifests.Container.VolumeMounts);
        Assert.Equal(volume.Name, mount.Name);
        Assert.Equal(manifests.One<V1PersistentVolumeClaim>().Metadata.Name, volume.PersistentVolumeClaim.ClaimName);
        Assert.Contains($"Jobs__Path={mount.MountPath}/jobs.db", await ReadAsync("Dockerfile"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_overlay_replaces_a_pod_only_when_another_one_is_ready_and_mounts_no_volume()
    {
        Manifests manifests = await Manifests.BuildAsync("postgres");
        V1DeploymentStrategy strategy = manifests.Deployment.Spec.Strategy;
        Assert.Equal(("RollingUpdate", "0", "1"), (strategy.Type, strategy.RollingUpdate.MaxUnavailable.Value, strategy.RollingUpdate.MaxSurge.Value));
        Assert.Null(manifests.Deployment.Spec.Replicas);
        Assert.Empty(manifests.Pod.Volumes ?? []);
        Assert.Empty(manifests.Container.VolumeMounts ?? []);
        Assert.Empty(manifests.Objects.OfType<V1PersistentVolumeClaim>());
        Assert.Equal("postgres", manifests.Environment["Jobs__Store"]);
        Assert.NotNull(manifests.Container.Env.Single(static variable => variable.Name == "Jobs__ConnectionString").ValueFrom.SecretKeyRef);
        Assert.Equal(["topology.kubernetes.io/zone", "kubernetes.io/hostname"], manifests.Pod.TopologySpreadConstraints.Select(static spread => spread.TopologyKey));
        Assert.All(manifests.Pod.TopologySpreadConstraints, spread => Selects(spread.LabelSelector, manifests));
    }

    [Fact]
    public async Task The_disruption_budget_allows_one_unavailable_pod_and_always_evicts_unhealthy_ones()
    {
        Manifests manifests = await Manifests.BuildAsync("postgres");
        V1PodDisruptionBudgetSpec budget = manifests.One<V1PodDisruptionBudget>().Spec;
        Assert.Equal(("1", "AlwaysAllow"), (budget.MaxUnavailable.Value, budget.UnhealthyPodEvictionPolicy));
        Selects(budget.Selector, manifests);
    }

    [Fact]
    public async Task The_autoscaler_uses_the_worker_utilization_that_the_Prometheus_adapter_provides()
    {
        Manifests manifests = await Manifests.BuildAsync("postgres");
        V2HorizontalPodAutoscalerSpec scaler = manifests.One<V2HorizontalPodAutoscaler>().Spec;
        Assert.Equal(("Deployment", manifests.Deployment.Metadata.Name), (scaler.ScaleTargetRef.Kind, scaler.ScaleTargetRef.Name));
        Assert.True(scaler.MinReplicas > 1);
        string metric = Assert.Single(scaler.Metrics).Pods.Metric.Name;
        string adapter = await ReadAsync("deploy/kubernetes/prometheus-adapter.yaml");
        Assert.Contains($"as: {metric}\n", adapter, StringComparison.Ordinal);
        Assert.Contains("seriesQuery: poolapi_worker_busy_time_seconds_total{", adapter, StringComparison.Ordinal);
        Assert.Contains("rate(poolapi_worker_busy_time_seconds_total[", await ReadAsync("deploy/prometheus/rules/poolapi.yml"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_the_API_port_is_open_to_everybody_and_Prometheus_scrapes_every_pod()
    {
        Manifests manifests = await Manifests.BuildAsync("postgres");
        V1NetworkPolicySpec policy = manifests.One<V1NetworkPolicy>().Spec;
        Selects(policy.PodSelector, manifests);
        Assert.Equal(["Ingress", "Egress"], policy.PolicyTypes);
        string[] open = [.. policy.Ingress.Where(static rule => rule.FromProperty is null).SelectMany(static rule => rule.Ports).Select(static port => port.Port.Value)];
        Assert.Equal(["http"], open);

        JsonNode spec = Assert.Single(manifests.Customs)["spec"]!;
        V1Service service = Assert.Single(manifests.Objects.OfType<V1Service>(), candidate =>
            spec["selector"]!["matchLabels"]!.AsObject().All(label => candidate.Metadata.Labels.TryGetValue(label.Key, out string? value) && value == (string?)label.Value));
        Assert.Contains((string?)spec["endpoints"]![0]!["port"], service.Spec.Ports.Select(static port => port.Name));
        Assert.Equal("/metrics", (string?)spec["endpoints"]![0]!["path"]);
        Assert.Equal("None", service.Spec.ClusterIP);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task Each_probe_uses_its_route_on_the_management_port_and_there_is_no_preStop_hook(string folder)
    {
        Manifests manifests = await Manifests.BuildAsync(folder);
        V1Container container = manifests.Container;
        Assert.Equal(
            [("/startupz", "management"), ("/livez", "management"), ("/readyz", "management")],
            ((V1Probe[])[container.StartupProbe, container.LivenessProbe, container.ReadinessProbe]).Select(static probe => (probe.HttpGet.Path, probe.HttpGet.Port.Value)));
        Assert.Null(container.Lifecycle);
        Assert.Equal([("http", 8080), ("management", 8081)], container.Ports.Select(static port => (port.Name, port.ContainerPort)));
        V1Service[] services = [.. manifests.Objects.OfType<V1Service>()];
        Assert.NotEmpty(services);
        foreach (V1Service service in services)
        {
            Assert.NotEmpty(service.Spec.Selector);
            Assert.NotEmpty(service.Spec.Ports);
            Assert.All(service.Spec.Ports, port => Assert.Contains(port.TargetPort.Value, container.Ports.Select(static own => own.Name)));
            Assert.All(service.Spec.Selector, label => Assert.Equal(label.Value, manifests.Deployment.Spec.Template.Metadata.Labels[label.Key]));
        }
        // The lame duck must last until a probe has seen it.
        Assert.True(TimeSpan.Parse(manifests.Environment["Shutdown__LameDuck"]!, System.Globalization.CultureInfo.InvariantCulture)
            > TimeSpan.FromSeconds(container.ReadinessProbe.PeriodSeconds!.Value * container.ReadinessProbe.FailureThreshold!.Value));
        // The probe must not time out before the check of the job store, which logs the reason.
        string check = await ReadAsync("src/PoolApi.Jobs.AspNetCore/Hosting/JobStoreCheck.cs");
        string time = Assert.Single(check.Split('\n'), static line => line.Contains("TimeSpan Patience =", StringComparison.Ordinal));
        Assert.Contains("FromSeconds(", time, StringComparison.Ordinal);
        int seconds = int.Parse(time.Split('(')[1].Split(')')[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(container.ReadinessProbe.TimeoutSeconds > seconds, $"{container.ReadinessProbe.TimeoutSeconds} s, and the check has {seconds} s");
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task The_pod_meets_the_restricted_pod_security_standard_with_a_read_only_root(string folder)
    {
        Manifests manifests = await Manifests.BuildAsync(folder);
        V1PodSecurityContext pod = manifests.Pod.SecurityContext;
        V1SecurityContext container = manifests.Container.SecurityContext;
        Assert.Equal((true, "RuntimeDefault"), (pod.RunAsNonRoot, pod.SeccompProfile.Type));
        Assert.True(pod.RunAsUser > 0);
        Assert.Equal((false, true), (container.AllowPrivilegeEscalation, container.ReadOnlyRootFilesystem));
        Assert.Equal(["ALL"], container.Capabilities.Drop);
        Assert.Null(container.Capabilities.Add);
        Assert.False(manifests.Pod.AutomountServiceAccountToken);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task Every_variable_is_a_setting_of_the_service(string folder)
    {
        string settings = await ReadAsync("docs/settings.md");
        Manifests manifests = await Manifests.BuildAsync(folder);
        Assert.NotEmpty(manifests.Environment);
        Assert.All(manifests.Environment.Keys, name => Assert.Contains($"\n| `{name.Replace("__", ":", StringComparison.Ordinal)}` |", settings, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_secrets_that_the_page_creates_match_the_references_in_the_pods_and_the_page()
    {
        string kubectl = Tool.Require("kubectl", "https://kubernetes.io/docs/tasks/tools/");
        string page = await ReadAsync("deploy/kubernetes/README.md");
        string[] commands = [.. page.Split('\n').Where(static line => line.StartsWith("kubectl create secret ", StringComparison.Ordinal))];
        Assert.Equal(2, commands.Length);
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("keys.json"), "{}", TestContext.Current.CancellationToken);

        V1SecretKeySelector selector = (await Manifests.BuildAsync("postgres")).Container.Env.Single(static variable => variable.Name == "Jobs__ConnectionString").ValueFrom.SecretKeyRef;
        V1Secret jobs = await MakeAsync(commands[0]), keys = await MakeAsync(commands[1]);
        Assert.Equal((selector.Name, selector.Key), (jobs.Metadata.Name, Assert.Single(jobs.Data.Keys)));
        Assert.Contains($"`Auth__KeysFile=/keys/{Assert.Single(keys.Data.Keys)}`", page, StringComparison.Ordinal);

        async Task<V1Secret> MakeAsync(string command)
        {
            string here = command.Replace("kubectl ", $"{kubectl} ", StringComparison.Ordinal) + " --dry-run=client --output=yaml"; // without a cluster
            ProgramRun run = await ProgramRun.ToEndAsync(new ProcessStartInfo("bash", ["-c", here]) { WorkingDirectory = folder.Path }, Patience.Long);
            return KubernetesYaml.Deserialize<V1Secret>(run.MustSucceed().Text, strict: true);
        }
    }

    [Theory]
    [InlineData("maxUnavailable: 1", "maxUnavailble: 1")]
    [InlineData("kind: PodDisruptionBudget", "kind: PodDisruptionBudgets")]
    public async Task A_field_or_kind_that_the_cluster_does_not_know_is_refused(string right, string wrong)
    {
        string budget = await ReadAsync("deploy/kubernetes/postgres/disruption-budget.yaml");
        Assert.NotEmpty(Manifests.Read(budget).Objects);
        Exception refused = Assert.ThrowsAny<Exception>(() => Manifests.Read(budget.Replace(right, wrong, StringComparison.Ordinal)));
        Assert.True(refused is YamlException or InvalidOperationException, refused.ToString());
    }

    [Fact]
    public async Task A_field_that_the_custom_resource_does_not_have_is_refused()
    {
        string monitor = await ReadAsync("deploy/kubernetes/postgres/service-monitor.yaml");
        Assert.NotEmpty(Manifests.Read(monitor).Customs);
        Assert.Throws<InvalidOperationException>(() => Manifests.Read(monitor.Replace("interval:", "intervall:", StringComparison.Ordinal)));
    }

    private static void Selects(V1LabelSelector selector, Manifests manifests)
    {
        Assert.NotEmpty(selector.MatchLabels);
        Assert.All(selector.MatchLabels, label => Assert.Equal(label.Value, manifests.Deployment.Spec.Template.Metadata.Labels[label.Key]));
    }

    private static Task<string> ReadAsync(string file) => File.ReadAllTextAsync(Path.Combine(Repository.Root, file), TestContext.Current.CancellationToken);
}
