package api

import (
	"cmp"
	"context"
	"maps"
	"slices"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/user"
)

func userOf(u *user.User) *naruv1.User {
	out := &naruv1.User{User: u.Name, Tags: u.Tags, HasPassword: !u.Hash.IsZero()}
	for _, ns := range slices.Sorted(maps.Keys(u.Permissions)) {
		p := u.Permissions[ns]
		out.Permissions = append(out.Permissions, &naruv1.UserPermissions{Namespace: ns, Configure: p.Configure, Write: p.Write, Read: p.Read})
	}
	return out
}

func (s *Server) user(name string) (*naruv1.User, error) {
	u, err := s.broker.User(name)
	if err != nil {
		return nil, err
	}
	return userOf(u), nil
}

// ListUsers implements naruv1connect.UserServiceHandler.
func (s *Server) ListUsers(context.Context, *naruv1.ListUsersRequest) (*naruv1.ListUsersResponse, error) {
	out := &naruv1.ListUsersResponse{}
	for _, u := range s.broker.Users() {
		out.Users = append(out.Users, userOf(u))
	}
	return out, nil
}

// CreateUser implements naruv1connect.UserServiceHandler.
func (s *Server) CreateUser(_ context.Context, in *naruv1.CreateUserRequest) (*naruv1.User, error) {
	password := in.GetPassword()
	if err := s.broker.CreateUser(in.GetUser(), broker.UserSpec{Password: &password, Tags: in.GetTags()}); err != nil {
		return nil, err
	}
	return s.user(in.GetUser())
}

// UpdateUser implements naruv1connect.UserServiceHandler.
func (s *Server) UpdateUser(_ context.Context, in *naruv1.UpdateUserRequest) (*naruv1.User, error) {
	spec := broker.UserSpec{Password: in.Password}
	if in.Tags != nil {
		spec.Tags = append([]string{}, in.GetTags().GetTags()...)
	}
	if err := s.broker.UpdateUser(in.GetUser(), spec); err != nil {
		return nil, err
	}
	return s.user(in.GetUser())
}

// DeleteUser implements naruv1connect.UserServiceHandler.
func (s *Server) DeleteUser(_ context.Context, in *naruv1.DeleteUserRequest) (*naruv1.DeleteUserResponse, error) {
	if err := s.broker.DeleteUser(in.GetUser()); err != nil {
		return nil, err
	}
	return &naruv1.DeleteUserResponse{}, nil
}

// PermitUser implements naruv1connect.UserServiceHandler.
func (s *Server) PermitUser(_ context.Context, in *naruv1.PermitUserRequest) (*naruv1.User, error) {
	p := user.Permissions{Configure: in.GetConfigure(), Write: in.GetWrite(), Read: in.GetRead()}
	if err := s.broker.SetPermissions(in.GetUser(), cmp.Or(in.GetNamespace(), broker.DefaultNamespace), p); err != nil {
		return nil, err
	}
	return s.user(in.GetUser())
}

// ForbidUser implements naruv1connect.UserServiceHandler.
func (s *Server) ForbidUser(_ context.Context, in *naruv1.ForbidUserRequest) (*naruv1.User, error) {
	if err := s.broker.ClearPermissions(in.GetUser(), cmp.Or(in.GetNamespace(), broker.DefaultNamespace)); err != nil {
		return nil, err
	}
	return s.user(in.GetUser())
}
