using System.Diagnostics;
using System.Text.Json.Nodes;
using Json.Schema;
using k8s;
using k8s.Models;
using YamlDotNet.Serialization;

namespace PoolApi.Deploy.Tests.Support;

/// <summary>What <c>kubectl apply -k</c> would send to the cluster, read as strictly as the API server reads it with <c>--validate=strict</c>.</summary>
internal sealed class Manifests
{
    private static readonly Dictionary<string, Type> Kinds = new()
    {
        ["v1/PersistentVolumeClaim"] = typeof(V1PersistentVolumeClaim),
        ["v1/Service"] = typeof(V1Service),
        ["apps/v1/Deployment"] = typeof(V1Deployment),
        ["autoscaling/v2/HorizontalPodAutoscaler"] = typeof(V2HorizontalPodAutoscaler),
        ["networking.k8s.io/v1/NetworkPolicy"] = typeof(V1NetworkPolicy),
        ["policy/v1/PodDisruptionBudget"] = typeof(V1PodDisruptionBudget),
    };

    private Manifests(IReadOnlyList<object> objects, IReadOnlyList<JsonNode> customs) => (Objects, Customs) = (objects, customs);

    /// <summary>The objects that every cluster knows.</summary>
    public IReadOnlyList<object> Objects { get; }

    /// <summary>The custom resources.</summary>
    public IReadOnlyList<JsonNode> Customs { get; }

    public V1Deployment Deployment => One<V1Deployment>();

    public V1PodSpec Pod => Deployment.Spec.Template.Spec;

    public V1Container Container => Assert.Single(Pod.Containers);

    public T One<T>() => Assert.Single(Objects.OfType<T>());

    /// <summary>The environment of the container: the values that stand in the manifest.</summary>
    public IReadOnlyDictionary<string, string?> Environment => Container.Env.ToDictionary(static variable => variable.Name, static variable => (string?)variable.Value);

    public static async Task<Manifests> BuildAsync(string folder)
    {
        string kubectl = Tool.Require("kubectl", "https://kubernetes.io/docs/tasks/tools/");
        using var process = Process.Start(new ProcessStartInfo(kubectl, ["kustomize", Path.Combine(Repository.Root, "deploy", "kubernetes", folder)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal((0, ""), (process.ExitCode, errors));
        return Read(await output);
    }

    /// <summary>Reads documents of YAML; fails on a field that the kind does not have.</summary>
    public static Manifests Read(string yaml)
    {
        var objects = new List<object>();
        var customs = new List<JsonNode>();
        foreach (string document in yaml.Split("\n---\n"))
        {
            JsonNode json = ToJson(document);
            string kind = $"{json["apiVersion"]}/{json["kind"]}";
            if (Kinds.TryGetValue(kind, out Type? type))
                objects.AddRange(KubernetesYaml.LoadAllFromString(document, new Dictionary<string, Type> { [kind] = type }, strict: true));
            else
                customs.Add(Valid(json));
        }
        return new(objects, customs);
    }

    private static JsonNode Valid(JsonNode json)
    {
        string name = $"{json["kind"]}".ToLowerInvariant() + ".json";
        using Stream stream = typeof(Manifests).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"no type and no schema for {json["kind"]}");
        using var reader = new StreamReader(stream);
        EvaluationResults results = JsonSchema.FromText(reader.ReadToEnd()).Evaluate(
            System.Text.Json.JsonSerializer.SerializeToElement(json), new EvaluationOptions { OutputFormat = OutputFormat.List });
        if (!results.IsValid)
            throw new InvalidOperationException(string.Join('\n', (results.Details ?? []).Where(static d => d.Errors is not null).Select(static d => $"{d.InstanceLocation}: {string.Join(", ", d.Errors!.Values)}")));
        return json;
    }

    private static JsonNode ToJson(string yaml) =>
        JsonNode.Parse(new SerializerBuilder().JsonCompatible().Build().Serialize(new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize(new StringReader(yaml))!))!;
}
