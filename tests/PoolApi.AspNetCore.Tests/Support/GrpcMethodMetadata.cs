#pragma warning disable IDE0130 // the package's own namespace
namespace Grpc.AspNetCore.Server;
#pragma warning restore IDE0130

/// <summary>Stands for the type of the package Grpc.AspNetCore.Server, which this library knows by its name.</summary>
public sealed class GrpcMethodMetadata;
