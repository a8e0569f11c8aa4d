namespace PoolApi.Jobs.AspNetCore.Endpoints;

/// <summary>Which kinds of work can be jobs here.</summary>
internal interface IJobKinds
{
    /// <summary>All kinds, in the order in which messages list them.</summary>
    IReadOnlyList<string> All { get; }

    /// <summary>Whether it is one of them.</summary>
    bool Exists(string kind);
}
